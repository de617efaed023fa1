import { Effect } from "effect"
import { died } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { all, type Endpoint } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { poolRow } from "../ThinPools.ts"
import { asJson } from "./Node.ts"

const list: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/disks/list",
  permission: { kind: "either", of: [all("/", "Sys.Audit"), all("/nodes/{node}", "Sys.Audit")] },
  protected: true,
  parameters: {
    node: Formats.node,
    "include-partitions": Formats.flag,
    skipsmart: Formats.flag,
    type: Formats.choice("unused", "journal_disks")
  },
  handle: (call) =>
    Effect.sync(() => ({
      data: [...call.machine.world.disks, ...call.machine.plugged.values()]
        .filter((disk) => textOf(call, "type") !== "unused" || disk["used"] === undefined)
        .filter((disk) => isSet(call, "include-partitions") || disk["type"] !== "partition")
        .map((disk) => asJson(isSet(call, "skipsmart") ? { ...disk, health: "UNKNOWN", wearout: "N/A" } : disk))
    }))
}

const smart: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/disks/smart",
  // On the root here, while the list is content with the node (platform-facts 7.1).
  permission: all("/", "Sys.Audit"),
  protected: true,
  parameters: {
    node: Formats.node,
    disk: { type: "string", pattern: /^\/dev\/[a-zA-Z0-9/]+$/ },
    healthonly: Formats.flag
  },
  handle: (call) =>
    Effect.suspend(() => {
      const disk = call.machine.world.disks.find((one) => one["devpath"] === required(call, "disk"))
      return disk === undefined
        ? Effect.fail(died("not a valid block device"))
        : Effect.succeed({ data: { health: String(disk["health"]) } })
    })
}

const thinPools: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/disks/lvmthin",
  permission: all("/", "Sys.Audit"),
  protected: true,
  parameters: { node: Formats.node },
  handle: ({ machine }) =>
    Effect.sync(() => ({ data: [...machine.thinPools.values()].map((one) => poolRow(machine, one)) }))
}

/** Disks of the node, and what LVM made of them (platform-facts 1.8). */
export const endpoints: ReadonlyArray<Endpoint> = [list, smart, thinPools]
