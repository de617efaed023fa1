import type { RootVerb } from "@felhom/domain/port/RootSocket"
import { Schema } from "effect"
import { MountRequest, MountResult } from "./Mount.ts"
import { PctCreateRequest, PctCreateResult } from "./PctCreate.ts"
import { PrivilegedError } from "./Privileged.ts"
import { SmartRequest, SmartResult } from "./Smart.ts"

/** What a line holds at most, either way, without its end (protocol 7). */
export const lineLimitBytes = 8192

/** What passes over one verb's socket: one request, one result or refusal. */
export interface RootExchange<A, I, B, J> {
  readonly verb: PrivilegedError["verb"]
  readonly socket: RootVerb
  readonly request: Schema.Schema<A, I>
  readonly result: Schema.Schema<B, J>
}

const exchange = <A, I, B, J>(of: RootExchange<A, I, B, J>): RootExchange<A, I, B, J> => of

export const smartExchange = exchange({
  verb: "smart",
  socket: "smart",
  request: SmartRequest,
  result: SmartResult
})

export const mountExchange = exchange({
  verb: "mount",
  socket: "mount",
  request: MountRequest,
  result: MountResult
})

export const pctCreateExchange = exchange({
  verb: "pctCreate",
  socket: "pct-create",
  request: PctCreateRequest,
  result: PctCreateResult
})

/**
 * How long each helper is waited for; each bounds its own commands so that it has answered by then. Emptying what
 * is not yet written to a slow stick takes minutes, unpacking a template onto a slow disk, too.
 */
export const answerWithinMillis: { readonly [verb in RootVerb]: number } = {
  smart: 20_000,
  mount: 300_000,
  "pct-create": 660_000
}

/** A root helper's one line of answer. */
export const RootReply = <A, I>(result: Schema.Schema<A, I>) =>
  Schema.Union(
    Schema.Struct({ ok: Schema.Literal(true), result }),
    Schema.Struct({ ok: Schema.Literal(false), error: PrivilegedError })
  )
