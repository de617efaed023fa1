import { Effect } from "effect"
import { badParameters } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { anyOf, anyone, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { splitList } from "../ParameterSchema.ts"
import { holds, isEnabled, isOn, type StorageState, typeOf } from "../StorageState.ts"

const inNode = { node: Formats.node }
const inPath = { ...inNode, storage: Formats.storage }

export const mayUseStorage = anyOf("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")

export const mayListStorage = (call: Call, storage: string): boolean =>
  may(call, `/storage/${storage}`, "Datastore.Audit") || may(call, `/storage/${storage}`, "Datastore.AllocateSpace")

const statusRow = (state: StorageState): { readonly [key: string]: Json } => {
  const enabled = isEnabled(state) && isOn(state, state.here)
  const usable = state.active === 1 && enabled
  return {
    type: typeOf(state),
    content: state.config["content"],
    enabled: enabled ? 1 : 0,
    active: usable ? 1 : 0,
    shared: state.shared,
    total: usable ? state.total : 0,
    used: usable ? state.used : 0,
    avail: usable ? state.avail : 0
  }
}

/** The formats of images that a storage takes, in the new way and in the old one. */
const formatsOf = (state: StorageState): { readonly [key: string]: Json } => {
  const valid = { dir: ["qcow2", "raw", "subvol", "vmdk"], btrfs: ["raw", "subvol"], zfspool: ["raw", "subvol"] }
  const supported = new Map(Object.entries(valid)).get(typeOf(state)) ?? ["raw"]
  const preferred = String(state.config["format"] ?? "raw")
  return {
    formats: { supported, default: preferred },
    format: [Object.fromEntries(supported.map((name) => [name, 1])), preferred]
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
    Effect.gen(function*() {
      const wanted = splitList(textOf(call, "content"))
      const asked = textOf(call, "storage")
      const target = textOf(call, "target")
      const other = target === call.machine.node || target === "localhost" ? undefined : target
      // What a filter for content leaves out counts as not there.
      const listed = Array.from(call.machine.storages.values()).filter((one) =>
        textOf(call, "content") === undefined ||
        (wanted.some((content) => holds(one, content)) && isEnabled(one) && isOn(one, one.here))
      )
      if (asked !== undefined && !listed.some(({ storage }) => storage === asked)) {
        return yield* badParameters({ storage: "No such storage." })
      }
      return {
        data: listed.flatMap((one): ReadonlyArray<Json> => {
          const row = statusRow(one)
          const shown = one.storage === (asked ?? one.storage) && (!isSet(call, "enabled") || isEnabled(one)) &&
            (other === undefined || (one.shared === 1 && isOn(one, one.here) && isOn(one, other)))
          if (!shown || !mayListStorage(call, one.storage)) return []
          return [{
            storage: one.storage,
            ...row,
            ...(isSet(call, "format") && row["enabled"] === 1 ? formatsOf(one) : {}),
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
