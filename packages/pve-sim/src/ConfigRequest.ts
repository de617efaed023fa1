import { Effect } from "effect"
import { type ApiFailure, badParameters, died } from "./ApiFailure.ts"
import { textOf } from "./CallParameters.ts"
import type { Call } from "./Endpoint.ts"
import { digestOf, type Guest, lockOf } from "./Guest.ts"
import { type Schema, splitList } from "./ParameterSchema.ts"

/** A change of a configuration, taken out of the parameters of a PUT or POST. */
export interface ConfigRequest {
  /** Undefined stands for a key that came without a value. */
  readonly set: ReadonlyMap<string, string | undefined>
  readonly remove: ReadonlyArray<string>
  readonly revert: ReadonlyArray<string>
  readonly digest: string | undefined
}

const own = new Set(["node", "vmid", "digest", "delete", "revert", "skiplock", "force", "background_delay"])

/** Takes the request apart, and refuses what contradicts itself (platform-facts 5.9). */
export const configRequest = (call: Call, schema: Schema): Effect.Effect<ConfigRequest, ApiFailure> =>
  Effect.gen(function*() {
    const set = new Map(Array.from(call.parameters).filter(([key]) => !own.has(key)))
    const remove = splitList(textOf(call, "delete"))
    const revert = splitList(textOf(call, "revert"))
    if (set.size === 0 && !call.parameters.has("delete") && !call.parameters.has("revert")) {
      return yield* died("no options specified")
    }
    for (const [list, keys] of [["delete", remove], ["revert", revert]] as const) {
      for (const key of keys) {
        if (set.has(key)) {
          return yield* badParameters({ [list]: `you can't use '-${key}' and -${list} ${key}' at the same time` })
        }
        if (!(key in schema)) return yield* badParameters({ [list]: `unknown option '${key}'` })
      }
    }
    const twice = remove.find((key) => revert.includes(key))
    if (twice !== undefined) {
      return yield* badParameters({
        delete: `you can't use '-delete ${twice}' and '-revert ${twice}' at the same time`
      })
    }
    return { set, remove, revert, digest: textOf(call, "digest") }
  })

/** Under the file lock, before anything is changed: the config lock, then the digest. */
export const mayChange = (guest: Guest, request: ConfigRequest): Effect.Effect<void, ApiFailure> =>
  Effect.suspend(() => {
    const lock = lockOf(guest)
    if (lock !== undefined) return Effect.fail(died(`${guest.type === "lxc" ? "CT" : "VM"} is locked (${lock})`))
    return request.digest === undefined || request.digest === digestOf(guest)
      ? Effect.void
      : Effect.fail(died("detected modified configuration - file changed by other user? Try again."))
  })
