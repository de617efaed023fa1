import { Effect } from "effect"
import { badParameters } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { anyOf, anyone, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { splitList } from "../ParameterSchema.ts"
import { isEnabled, type StorageState, typeOf } from "../StorageState.ts"

const inNode = { node: Formats.node }
const inPath = { ...inNode, storage: Formats.storage }

export const mayUseStorage = anyOf("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")

export const mayListStorage = (call: Call, storage: string): boolean =>
  may(call, `/storage/${storage}`, "Datastore.Audit") || may(call, `/storage/${storage}`, "Datastore.AllocateSpace")

const statusRow = (state: StorageState): { readonly [key: string]: Json } => {
  const usable = state.active === 1 && isEnabled(state)
  return {
    type: typeOf(state),
    content: state.config["content"],
    enabled: isEnabled(state) ? 1 : 0,
    active: usable ? 1 : 0,
    shared: state.shared,
    total: usable ? state.total : 0,
    used: usable ? state.used : 0,
    avail: usable ? state.avail : 0
  }
}

const list: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage",
  permission: anyone,
  protected: true,
  parameters: {
    ...inNode,
    storage: Formats.optional(Formats.storage),
    content: { type: "string", optional: true, format: Formats.contentList },
    enabled: Formats.flag,
    target: Formats.optional(Formats.node),
    format: Formats.flag
  },
  handle: (call) =>
    Effect.sync(() => {
      const wanted = splitList(textOf(call, "content"))
      return {
        data: Array.from(call.machine.storages.values()).flatMap((one): ReadonlyArray<Json> => {
          const row = statusRow(one)
          const holds = splitList(String(one.config["content"] ?? ""))
          const asked = one.storage === (textOf(call, "storage") ?? one.storage) &&
            (wanted.length === 0 || wanted.some((content) => holds.includes(content))) &&
            (!isSet(call, "enabled") || row["enabled"] === 1)
          if (!asked || !mayListStorage(call, one.storage)) return []
          return [{
            storage: one.storage,
            ...row,
            // There is none for a storage that is not active (platform-facts 7.2).
            used_fraction: row["active"] === 1 && one.total > 0 ? one.used / one.total : undefined
          }]
        })
      }
    })
}

const status: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/status",
  permission: mayUseStorage,
  protected: true,
  parameters: inPath,
  handle: (call) => {
    const found = call.machine.storages.get(required(call, "storage"))
    return found === undefined
      ? Effect.fail(badParameters({ storage: "No such storage." }))
      : Effect.succeed({ data: statusRow(found) })
  }
}

/** How storages are at run time (platform-facts 1.5). */
export const endpoints: ReadonlyArray<Endpoint> = [list, status]
