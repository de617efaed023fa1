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

const own = new Set([
  "node",
  "vmid",
  "digest",
  "delete",
  "revert",
  "skiplock",
  "force",
  "background_delay",
  "import-working-storage"
])

/** Takes a machine's request apart, and refuses what contradicts itself; containers have an order of their own. */
export const configRequest = (call: Call, schema: Schema): Effect.Effect<ConfigRequest, ApiFailure> =>
  Effect.gen(function*() {
    const set = new Map(Array.from(call.parameters).filter(([key]) => !own.has(key)))
    const remove = splitList(textOf(call, "delete"))
    const revert = splitList(textOf(call, "revert"))
    if (set.size === 0 && !call.parameters.has("delete") && !call.parameters.has("revert")) {
      return yield* died("no options specified")
    }
    const together = (a: string, b: string): string => `you can't use '-${a}' and -${b}' at the same time`
    for (const key of revert) {
      if (!(key in schema)) return yield* badParameters({ revert: `unknown option '${key}'` })
      if (set.get(key) !== undefined) return yield* badParameters({ delete: together(key, `revert ${key}`) })
    }
    for (const key of remove) {
      if (set.get(key) !== undefined) return yield* badParameters({ delete: together(key, `delete ${key}`) })
      if (revert.includes(key)) return yield* badParameters({ revert: together(`delete ${key}`, `revert ${key}`) })
      if (!(key in schema)) return yield* badParameters({ delete: `unknown option '${key}'` })
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
