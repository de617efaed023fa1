import { Clock, Effect } from "effect"
import { ApiFailure } from "../ApiFailure.ts"
import { required } from "../CallParameters.ts"
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

const list: Endpoint = {
  method: "GET",
  path: "/nodes",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: (call) =>
    Effect.map(nowSeconds, (now) => ({
      data: [{
        id: `node/${call.machine.node}`,
        node: call.machine.node,
        type: "node",
        status: "online",
        level: "",
        ssl_fingerprint: call.machine.sslFingerprint,
        ...(may(call, `/nodes/${call.machine.node}`, "Sys.Audit") ? nodeFigures(call.machine, now) : {})
      }]
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

// Seconds between two samples, and how many there are, by timeframe.
const frames: { readonly [name: string]: readonly [step: number, count: number] } = {
  hour: [60, 60],
  day: [1800, 70],
  week: [10_800, 70],
  month: [43_200, 70],
  year: [604_800, 70],
  decade: [604_800, 70]
}

const rrd = (path: string, permission: Endpoint["permission"], parameters: Endpoint["parameters"]): Endpoint => ({
  method: "GET",
  path,
  permission,
  protected: true,
  parameters: {
    ...parameters,
    timeframe: { type: "string", enum: Object.keys(frames) },
    cf: Formats.choice("AVERAGE", "MAX")
  },
  // A host without history: the samples' times are there, and nothing in them, as after a fresh start.
  handle: (call: Call) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const [step, count] = frames[required(call, "timeframe")] ?? [60, 60]
      const last = Math.floor(now / 1000 / step) * step
      return { data: Array.from({ length: count }, (_, at) => ({ time: last - (count - 1 - at) * step })) }
    })
})

const rrds: ReadonlyArray<Endpoint> = [
  rrd("/nodes/{node}/rrddata", sysAudit, inPath),
  ...(["lxc", "qemu"] as const).map((type) =>
    rrd(`/nodes/{node}/${type}/{vmid}/rrddata`, all("/vms/{vmid}", "VM.Audit"), { ...inPath, vmid: Formats.vmid })
  )
]

const power: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/status",
  permission: all("/nodes/{node}", "Sys.PowerMgmt"),
  protected: true,
  parameters: { ...inPath, command: { type: "string", enum: ["reboot", "shutdown"] } },
  handle: () =>
    Effect.fail(
      new ApiFailure({ status: 501, message: "the simulated node is rebooted from its console, not over the API" })
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
  power,
  syslog,
  time,
  network,
  ...rrds
]
