import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import type { Json } from "./Endpoint.ts"
import { sizeInside } from "./FileSystemLog.ts"
import { bytesOf, type Guest, isTemplate, lockOf, nameOf, volumesOf } from "./Guest.ts"
import type { Machine } from "./Machine.ts"

const mebibyte = 1024 * 1024

type Row = { readonly [key: string]: Json }

const value = (guest: Guest, key: string): number | undefined => {
  const text = guest.file.current.values.get(key)
  return text === undefined ? undefined : Number(text)
}

const coresOf = (machine: Machine, guest: Guest): number =>
  guest.type === "qemu"
    ? (value(guest, "sockets") ?? 1) * (value(guest, "cores") ?? 1)
    : value(guest, "cores") ?? Math.ceil(value(guest, "cpulimit") || machine.host.status.cpuinfo.cpus)

const memoryOf = (guest: Guest): number => (value(guest, "memory") ?? 512) * mebibyte

const rootSize = (guest: Guest): number => {
  const volumes = volumesOf(guest, guest.file.current)
  const root = guest.type === "lxc" ? volumes.find(({ key }) => key === "rootfs") : volumes[0]
  return root === undefined ? 0 : bytesOf(propertyOf(parsePropertyString(root.text), "size"))
}

const uptime = (guest: Guest, nowMillis: number): number =>
  guest.running ? Math.max(0, Math.floor((nowMillis - guest.changedAt) / 1000)) : 0

const present = (row: Row): Row => Object.fromEntries(Object.entries(row).filter(([, cell]) => cell !== undefined))

// What a container's file system shows of its volume, and what a small system has in it.
const seenInside = (size: number) => ({
  disk: Math.min(2_408_448, size),
  maxdisk: sizeInside(size)
})

const pressure = Object.fromEntries(
  ["cpu", "io", "memory"].flatMap((kind) => ["some", "full"].map((share) => [`pressure${kind}${share}`, "0.00"]))
)

const lxcStatus = (machine: Machine, guest: Guest, nowMillis: number): Row => {
  const size = rootSize(guest)
  return present({
    vmid: guest.vmid,
    type: "lxc",
    status: guest.running ? "running" : "stopped",
    name: nameOf(guest),
    cpus: coresOf(machine, guest),
    maxmem: memoryOf(guest),
    maxswap: (value(guest, "swap") ?? 0) * mebibyte,
    ...(guest.running ? seenInside(size) : { disk: 0, maxdisk: size }),
    mem: 0,
    swap: 0,
    cpu: 0,
    netin: 0,
    netout: 0,
    diskread: 0,
    diskwrite: 0,
    uptime: uptime(guest, nowMillis),
    tags: guest.file.current.values.get("tags"),
    lock: lockOf(guest),
    template: isTemplate(guest) ? 1 : undefined,
    ...(guest.running ? { pid: guest.pid, ...pressure } : {})
  })
}

const qemuStatus = (machine: Machine, guest: Guest, nowMillis: number): Row =>
  present({
    vmid: guest.vmid,
    status: guest.running ? "running" : "stopped",
    name: nameOf(guest),
    cpus: coresOf(machine, guest),
    maxmem: memoryOf(guest),
    maxdisk: rootSize(guest),
    disk: 0,
    mem: 0,
    memhost: 0,
    cpu: 0,
    netin: 0,
    netout: 0,
    uptime: uptime(guest, nowMillis),
    tags: guest.file.current.values.get("tags"),
    lock: lockOf(guest),
    template: isTemplate(guest) ? 1 : undefined,
    ...(guest.running ? { pid: guest.pid, diskread: 0, diskwrite: 0 } : {})
  })

/** A row of `GET …/lxc` or `…/qemu` (platform-facts 1.2, 1.3). */
export const statusRow = (machine: Machine, guest: Guest, nowMillis: number): Row =>
  guest.type === "lxc" ? lxcStatus(machine, guest, nowMillis) : qemuStatus(machine, guest, nowMillis)

/** `GET …/status/current`. */
export const currentStatus = (machine: Machine, guest: Guest, nowMillis: number): Row => ({
  ...statusRow(machine, guest, nowMillis),
  ha: guest.haState === undefined ? { managed: 0 } : { managed: 1, state: guest.haState },
  ...(guest.type === "qemu" ? { qmpstatus: guest.running ? "running" : "stopped" } : {})
})

/**
 * A row of `/cluster/resources`: lock and tags are read live, the rest is pvestatd's sample, up to 10 s old
 * (platform-facts 1.1).
 */
export const resourceRow = (machine: Machine, guest: Guest, nowMillis: number): Row => {
  const interval = 10_000 / machine.speed
  const sampledAt = Math.floor(nowMillis / interval) * interval
  // What lies ahead of a clock that was set back was looked at long ago.
  const sampled = guest.changedAt > sampledAt && guest.changedAt <= nowMillis
    ? { ...guest, running: guest.runningBefore, changedAt: guest.changedBefore }
    : guest
  const seen = statusRow(machine, sampled, sampledAt)
  const kept = ["vmid", "name", "status", "maxmem", "maxdisk", "disk", "mem", "cpu", "netin", "netout", "uptime"]
  return present({
    ...Object.fromEntries(kept.map((key) => [key, seen[key]])),
    id: `${guest.type}/${guest.vmid}`,
    type: guest.type,
    node: machine.node,
    maxcpu: seen["cpus"],
    memhost: 0,
    diskread: 0,
    diskwrite: 0,
    template: isTemplate(guest) ? 1 : 0,
    tags: guest.file.current.values.get("tags"),
    lock: lockOf(guest),
    hastate: guest.haState
  })
}
