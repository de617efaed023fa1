import { Clock, Effect } from "effect"
import { badParameters } from "../ApiFailure.ts"
import { textOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { resourceRow } from "../GuestStatus.ts"
import { typeOf } from "../StorageState.ts"
import { asJson, nodeFigures } from "./Node.ts"

const guestRows = (call: Call, nowMillis: number): ReadonlyArray<Json> =>
  Array.from(call.machine.guests.values())
    .filter((guest) => may(call, `/vms/${guest.vmid}`, "VM.Audit"))
    .map((guest) => resourceRow(call.machine, guest, nowMillis))

const nodeRows = (call: Call, nowMillis: number): ReadonlyArray<Json> => [{
  id: `node/${call.machine.node}`,
  node: call.machine.node,
  type: "node",
  status: "online",
  level: "",
  "cgroup-mode": call.machine.host.cgroupMode,
  ...(may(call, `/nodes/${call.machine.node}`, "Sys.Audit")
    ? nodeFigures(call.machine, Math.floor(nowMillis / 1000))
    : {})
}]

const storageRows = (call: Call): ReadonlyArray<Json> =>
  Array.from(call.machine.storages.values())
    // AllocateSpace is not enough here (platform-facts 1.1).
    .filter(({ storage }) => may(call, `/storage/${storage}`, "Datastore.Audit"))
    .map((state) => ({
      id: `storage/${call.machine.node}/${state.storage}`,
      storage: state.storage,
      node: call.machine.node,
      type: "storage",
      plugintype: typeOf(state),
      content: state.config["content"],
      shared: state.shared,
      ...(state.active === 1
        ? { status: "available", disk: state.used, maxdisk: state.total }
        : { status: "unknown" })
    }))

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
    Effect.succeed({
      // A single host has no row of type cluster (platform-facts 1.1).
      data: [{
        id: `node/${call.machine.node}`,
        type: "node",
        name: call.machine.node,
        ip: call.machine.world.node_ip,
        local: 1,
        online: 1,
        nodeid: 0,
        level: ""
      }]
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
      if (asked !== undefined) {
        return call.machine.guests.has(Number(asked))
          ? yield* badParameters({ vmid: `VM ${asked} already exists` })
          : { data: asked }
      }
      let free = 100
      while (call.machine.guests.has(free)) free++
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

const pools: Endpoint = {
  method: "GET",
  path: "/pools",
  permission: anyone,
  protected: false,
  parameters: { poolid: Formats.text(), type: Formats.choice("qemu", "lxc", "storage") },
  handle: (call) =>
    Effect.sync(() => ({
      data: call.machine.world.pools
        .filter((pool) =>
          may(call, `/pool/${String(pool["poolid"])}`, "Pool.Audit") &&
          String(pool["poolid"]) === (textOf(call, "poolid") ?? String(pool["poolid"]))
        )
        .map(asJson)
    }))
}

/** `/cluster` and `/pools`. */
export const endpoints: ReadonlyArray<Endpoint> = [resources, status, nextid, options, pools]
