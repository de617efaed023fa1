import { Effect } from "effect"
import { ApiFailure } from "../ApiFailure.ts"
import { servedCertificate } from "../CertificateInfo.ts"
import { all, anyone, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Machine, nowSeconds } from "../Machine.ts"

const sysAudit = all("/nodes/{node}", "Sys.Audit")
const inPath = { node: Formats.node }

const uptime = (machine: Machine, now: number): number => now - machine.bootTime

/** The figures of a node that need Sys.Audit; pvestatd's sample. */
export const nodeFigures = (machine: Machine, now: number): { readonly [key: string]: Json } => {
  const { status } = machine.host
  return {
    cpu: 0.0254,
    maxcpu: status.cpuinfo.cpus,
    mem: status.memory.used,
    maxmem: status.memory.total,
    disk: status.rootfs.used,
    maxdisk: status.rootfs.total,
    uptime: uptime(machine, now)
  }
}

const nodeRow = (call: Call, machine: Machine, online: boolean, now: number): Json => ({
  id: `node/${machine.node}`,
  node: machine.node,
  type: "node",
  status: online ? "online" : "offline",
  ...(online ? { level: "" } : {}),
  ssl_fingerprint: servedCertificate(machine.certificates)?.fingerprint,
  ...(online && may(call, `/nodes/${machine.node}`, "Sys.Audit") ? nodeFigures(machine, now) : {})
})

const list: Endpoint = {
  method: "GET",
  path: "/nodes",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: (call) =>
    Effect.map(nowSeconds, (now) => ({
      data: [
        nodeRow(call, call.machine, true, now),
        ...call.machine.peers.map(({ machine, online }) => nodeRow(call, machine, online, now))
      ]
    }))
}

const status: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/status",
  permission: sysAudit,
  protected: false,
  parameters: inPath,
  handle: (call) =>
    Effect.map(nowSeconds, (now) => ({
      data: {
        ...call.machine.host.status,
        pveversion: `pve-manager/${call.machine.world.version.version}/${call.machine.world.version.repoid}`,
        uptime: uptime(call.machine, now)
      }
    }))
}

const certificates: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/certificates/info",
  permission: anyone,
  protected: false,
  parameters: inPath,
  handle: (call) => Effect.sync(() => ({ data: call.machine.certificates.map((one) => ({ ...one })) }))
}

const versionOf = (machine: Machine): Json => ({
  version: machine.world.version.version,
  release: machine.world.version.release,
  repoid: machine.world.version.repoid
})

const versions: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/version",
    permission: anyone,
    protected: false,
    parameters: {},
    handle: (call) => Effect.succeed({ data: versionOf(call.machine) })
  },
  {
    method: "GET",
    path: "/nodes/{node}/version",
    permission: anyone,
    protected: false,
    parameters: inPath,
    handle: (call) => Effect.succeed({ data: versionOf(call.machine) })
  }
]

const time: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/time",
  permission: sysAudit,
  protected: false,
  parameters: inPath,
  handle: (call) => {
    const { localtime, time } = call.machine.world.taken_at_unix
    return Effect.map(nowSeconds, (now) => ({
      data: { time: now, localtime: now + localtime - time, timezone: call.machine.world.timezone }
    }))
  }
}

const network: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/network",
  permission: anyone,
  protected: false,
  parameters: { ...inPath, type: Formats.text() },
  handle: (call) =>
    Effect.sync(() => {
      const wanted = call.parameters.get("type")
      const bridges = /^(?:bridge|OVSBridge|any_bridge|any_local_bridge)$/
      return {
        data: call.machine.world.network.flatMap((row): ReadonlyArray<Json> => {
          const type = String(row["type"])
          const isBridge = type === "bridge" || type === "OVSBridge"
          const seen = !isBridge || call.machine.access
                .privileges(call.identity.id, `/sdn/zones/localnetwork/${String(row["iface"])}`)
                .size > 0
          const asked = wanted === undefined || wanted === type || (isBridge && bridges.test(wanted))
          return seen && asked ? [asJson(row)] : []
        })
      }
    })
}

/** A world's open record as JSON: it was decoded from JSON, so it is nothing else. */
export const asJson = (value: unknown): Json => {
  if (Array.isArray(value)) return value.map(asJson)
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, asJson(member)]))
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null
}

const power: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/status",
  permission: all("/nodes/{node}", "Sys.PowerMgmt"),
  protected: true,
  parameters: { ...inPath, command: { type: "string", enum: ["reboot", "shutdown"] } },
  handle: () =>
    Effect.fail(
      new ApiFailure({
        status: 501,
        message: "pve-sim does not simulate the node's power over the API; reboot it from its console"
      })
    )
}

const syslog: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/syslog",
  permission: all("/nodes/{node}", "Sys.Syslog"),
  protected: true,
  parameters: {
    ...inPath,
    start: Formats.integer(0),
    limit: Formats.integer(0),
    since: Formats.text(),
    until: Formats.text(),
    service: Formats.text(128)
  },
  handle: () => Effect.succeed({ data: [{ n: 1, t: "no content" }], total: 1 })
}

const index: Endpoint = {
  method: "GET",
  path: "/",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: () =>
    Effect.succeed({
      data: ["version", "cluster", "nodes", "storage", "access", "pools"].map((subdir) => ({ subdir }))
    })
}

/** The node itself, and what needs no node: version, index. */
export const endpoints: ReadonlyArray<Endpoint> = [
  index,
  ...versions,
  list,
  status,
  certificates,
  power,
  syslog,
  time,
  network
]
