import { Clock, Effect } from "effect"
import { required, vmidOf } from "../CallParameters.ts"
import { all, type Call, type Endpoint, type Json } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import type { Guest } from "../Guest.ts"
import { statusRow } from "../GuestStatus.ts"
import { guestOf, type Machine } from "../Machine.ts"
import type { Schema } from "../ParameterSchema.ts"
import { mayUseStorage } from "./Storage.ts"

type Sample = { readonly [key: string]: Json }

// Seconds between two samples, and how many there are, by timeframe.
const frames: { readonly [name: string]: readonly [step: number, count: number] } = {
  hour: [60, 60],
  day: [1800, 70],
  week: [10_800, 70],
  month: [43_200, 70],
  year: [604_800, 70],
  decade: [604_800, 70]
}

const frameParameters = (...timeframes: ReadonlyArray<string>): Schema => ({
  timeframe: { type: "string", enum: timeframes },
  cf: Formats.choice("AVERAGE", "MAX")
})

// Only of a node is there a decade.
const upToYear = frameParameters("hour", "day", "week", "month", "year")

/** A row for each step; of times in which the host was off, only the time is known. */
const rows = (call: Call, nowMillis: number, sampleAt: (seconds: number) => Sample): ReadonlyArray<Json> => {
  const [step, count] = frames[required(call, "timeframe")] ?? [60, 60]
  const last = Math.floor(nowMillis / 1000 / step) * step
  return Array.from({ length: count }, (_, at) => {
    const time = last - (count - 1 - at) * step
    return time <= call.machine.bootTime ? { time } : { time, ...sampleAt(time) }
  })
}

const still = {
  pressurecpusome: 0,
  pressureiosome: 0,
  pressureiofull: 0,
  pressurememorysome: 0,
  pressurememoryfull: 0
}

const nodeSample = (machine: Machine): Sample => {
  const { status } = machine.host
  return {
    cpu: 0.0254,
    maxcpu: status.cpuinfo.cpus,
    iowait: 0,
    loadavg: Number(status.loadavg[0]),
    memtotal: status.memory.total,
    memused: status.memory.used,
    memavailable: status.memory.available,
    swaptotal: status.swap.total,
    swapused: status.swap.used,
    roottotal: status.rootfs.total,
    rootused: status.rootfs.used,
    netin: 0,
    netout: 0,
    arcsize: 0,
    ...still
  }
}

/** A guest that is off has sizes and no figures; its first sample after a start has no rates yet. */
const guestSample = (machine: Machine, guest: Guest, nowMillis: number) => (seconds: number): Sample => {
  const changed = guest.changedAt / 1000
  const running = seconds > changed ? guest.running : guest.runningBefore
  const { cpu, cpus, disk, maxdisk, maxmem, mem } = statusRow(machine, guest, nowMillis)
  const sizes = { maxcpu: cpus, maxdisk, maxmem, disk: running ? disk : 0 }
  if (!running) return sizes
  const rates = { diskread: 0, diskwrite: 0, netin: 0, netout: 0 }
  return { ...sizes, cpu, mem, ...still, pressurecpufull: 0, ...(seconds - changed > 60 ? rates : {}) }
}

const ofNode: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/rrddata",
  permission: all("/nodes/{node}", "Sys.Audit"),
  protected: true,
  parameters: { node: Formats.node, ...frameParameters(...Object.keys(frames)) },
  handle: (call) =>
    Effect.map(Clock.currentTimeMillis, (now) => ({ data: rows(call, now, () => nodeSample(call.machine)) }))
}

const ofGuest = (type: "lxc" | "qemu"): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/rrddata`,
  permission: all("/vms/{vmid}", "VM.Audit"),
  protected: true,
  parameters: { node: Formats.node, vmid: Formats.vmid, ...upToYear },
  handle: (call) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const guest = yield* guestOf(call.machine, type, vmidOf(call))
      return { data: rows(call, now, guestSample(call.machine, guest, now)) }
    })
})

const ofStorage: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/rrddata",
  permission: mayUseStorage,
  protected: true,
  parameters: { node: Formats.node, storage: Formats.storage, ...upToYear },
  handle: (call) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const storage = call.machine.storages.get(required(call, "storage"))
      return {
        data: rows(call, now, (): Sample => storage?.active === 1 ? { total: storage.total, used: storage.used } : {})
      }
    })
}

/** What pvestatd has written down over time. */
export const endpoints: ReadonlyArray<Endpoint> = [ofNode, ofGuest("lxc"), ofGuest("qemu"), ofStorage]
