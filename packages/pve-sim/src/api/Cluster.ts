import { Clock, Effect } from "effect"
import { badParameters } from "../ApiFailure.ts"
import { textOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { resourceRow } from "../GuestStatus.ts"
import { isQuorate, type Machine } from "../Machine.ts"
import { type StorageState, typeOf } from "../StorageState.ts"
import { nodeFigures } from "./Node.ts"

/** The nodes whose pvestatd is heard: this one, and those of its cluster that answer. */
export const heard = (call: Call): ReadonlyArray<Machine> => [
  call.machine,
  ...call.machine.peers.filter(({ online }) => online).map(({ machine }) => machine)
]

const guestRows = (call: Call, nowMillis: number): ReadonlyArray<Json> =>
  heard(call).flatMap((machine) =>
    Array.from(machine.guests.values())
      .filter((guest) => may(call, `/vms/${guest.vmid}`, "VM.Audit"))
      .map((guest) => ({ ...resourceRow(machine, guest, nowMillis), ...poolOf(call, guest.vmid) }))
  )

const poolOf = (call: Call, vmid: number): { readonly pool?: string } => {
  const pool = Array.from(call.machine.access.pools).find(([, { vms }]) => vms.has(vmid))?.[0]
  return pool === undefined || !may(call, `/pool/${pool}`, "Pool.Audit") ? {} : { pool }
}

const nodeRow = (call: Call, machine: Machine, nowMillis: number): Json => ({
  id: `node/${machine.node}`,
  node: machine.node,
  type: "node",
  status: "online",
  level: "",
  "cgroup-mode": machine.host.cgroupMode,
  ...(may(call, `/nodes/${machine.node}`, "Sys.Audit") ? nodeFigures(machine, Math.floor(nowMillis / 1000)) : {})
})

const nodeRows = (call: Call, nowMillis: number): ReadonlyArray<Json> => [
  ...heard(call).map((machine) => nodeRow(call, machine, nowMillis)),
  ...call.machine.peers.filter(({ online }) => !online).map(({ name }) => ({
    id: `node/${name}`,
    node: name,
    type: "node",
    status: "offline"
  }))
]

/** A storage of one node, as `/cluster/resources` and pools show it. */
export const storageRow = (machine: Machine, state: StorageState): Json => ({
  id: `storage/${machine.node}/${state.storage}`,
  storage: state.storage,
  node: machine.node,
  type: "storage",
  plugintype: typeOf(state),
  content: state.config["content"],
  shared: state.shared,
  ...(state.active === 1
    ? { status: "available", disk: state.used, maxdisk: state.total }
    : { status: "unknown" })
})

const storageRows = (call: Call): ReadonlyArray<Json> =>
  heard(call).flatMap((machine) =>
    Array.from(machine.storages.values())
      // AllocateSpace is not enough here (platform-facts 1.1).
      .filter(({ storage }) => may(call, `/storage/${storage}`, "Datastore.Audit"))
      .map((state) => storageRow(machine, state))
  )

const resources: Endpoint = {
  method: "GET",
  path: "/cluster/resources",
  permission: anyone,
  protected: false,
  parameters: { type: Formats.choice("vm", "storage", "node", "sdn") },
  handle: (call) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const type = textOf(call, "type")
      const wanted = (one: string): boolean => type === undefined || type === one
      return {
        data: [
          ...(wanted("vm") ? guestRows(call, now) : []),
          ...(wanted("node") ? nodeRows(call, now) : []),
          ...(wanted("storage") ? storageRows(call) : [])
        ]
      }
    })
}

const status: Endpoint = {
  method: "GET",
  path: "/cluster/status",
  permission: all("/", "Sys.Audit"),
  protected: true,
  parameters: {},
  handle: (call) =>
    Effect.sync(() => {
      const { machine } = call
      const inCluster = machine.peers.length > 0
      const nodes = [{ name: machine.node, ip: machine.world.node_ip, online: true }, ...machine.peers]
      const rows = nodes.map(({ ip, name, online }, at) => ({
        id: `node/${name}`,
        type: "node",
        name,
        ip,
        local: at === 0 ? 1 : 0,
        online: online ? 1 : 0,
        nodeid: inCluster ? at + 1 : 0,
        level: ""
      }))
      // A single host has no row of type cluster (platform-facts 1.1).
      const cluster = {
        id: "cluster",
        type: "cluster",
        name: machine.world.cluster_name,
        version: nodes.length,
        nodes: nodes.length,
        quorate: isQuorate(machine) ? 1 : 0
      }
      return { data: inCluster ? [cluster, ...rows] : rows }
    })
}

const nextid: Endpoint = {
  method: "GET",
  path: "/cluster/nextid",
  permission: anyone,
  protected: false,
  parameters: { vmid: Formats.optional(Formats.vmid) },
  handle: (call) =>
    Effect.gen(function*() {
      const asked = textOf(call, "vmid")
      const nodes = [call.machine, ...call.machine.peers.map(({ machine }) => machine)]
      const taken = (vmid: number): boolean => nodes.some(({ guests }) => guests.has(vmid))
      if (asked !== undefined) {
        return taken(Number(asked))
          ? yield* badParameters({ vmid: `VM ${asked} already exists` })
          : { data: asked }
      }
      let free = 100
      while (taken(free)) free++
      return { data: String(free) }
    })
}

const options: Endpoint = {
  method: "GET",
  path: "/cluster/options",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: (call) =>
    Effect.sync(() => {
      const tags = Array.from(call.machine.guests.values())
        .filter((guest) => may(call, `/vms/${guest.vmid}`, "VM.Audit"))
        .flatMap((guest) => (guest.file.current.values.get("tags") ?? "").split(";"))
        .filter((tag) => tag !== "")
      return {
        data: {
          "allowed-tags": Array.from(new Set(tags)).sort(),
          ...(may(call, "/", "Sys.Audit") ? { description: "", mac_prefix: call.machine.host.macPrefix } : {})
        }
      }
    })
}

/** `/cluster` (platform-facts 1.1). */
export const endpoints: ReadonlyArray<Endpoint> = [resources, status, nextid, options]
