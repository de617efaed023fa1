import { Context, type Effect, Schema } from "effect"
import type { MountRequest, MountResult } from "./Mount.ts"
import type { PctCreateRequest, PctCreateResult } from "./PctCreate.ts"
import type { SmartRequest, SmartResult } from "./Smart.ts"

/** A root command was refused, could not be run, or failed. */
export class PrivilegedError extends Schema.TaggedError<PrivilegedError>()("PrivilegedError", {
  verb: Schema.Literal("pctCreate", "mount", "smart"),
  /**
   * `invalid`: the request does not hold; nothing ran. `refused`: it holds, and as the host is now it is not done. `unavailable`:
   * could not be run. `failed`: it ran and said no, or did not end in time. `malformed`: its answer could not be read.
   */
  reason: Schema.Literal("invalid", "refused", "unavailable", "failed", "malformed"),
  detail: Schema.String
}) {
  override get message(): string {
    return `root side, ${this.verb}: ${this.reason}: ${this.detail}`
  }
}

/**
 * Everything that the agent may do as root on the host: three verbs, each with a closed, validated request. It never makes an
 * HTTP call. Whatever else needs root is done by a person.
 */
export class Privileged extends Context.Tag("felhom/privileged/Privileged")<Privileged, {
  readonly pctCreate: (request: PctCreateRequest) => Effect.Effect<PctCreateResult, PrivilegedError>
  readonly mount: (request: MountRequest) => Effect.Effect<MountResult, PrivilegedError>
  readonly smart: (request: SmartRequest) => Effect.Effect<SmartResult, PrivilegedError>
}>() {}
