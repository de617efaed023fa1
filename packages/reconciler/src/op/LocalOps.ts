import type { SignedOp } from "@felhom/domain/SignedOp"
import { Hold } from "@felhom/durable/Hold"
import { NonceStore } from "@felhom/durable/NonceStore"
import { Effect, Option } from "effect"
import type { Unmet } from "./Expectation.ts"
import { OpNews } from "./OpNews.ts"

/** An op on the agent itself. */
export type LocalOp = Extract<SignedOp, { readonly op: "store.reanchor" | "hold.release" }>

export const isLocal = (op: SignedOp): op is LocalOp => op.op === "store.reanchor" || op.op === "hold.release"

/** Why the host is not as the operator was shown it; undefined when it is. */
export const localUnmet = (op: LocalOp) =>
  Effect.gen(function*() {
    if (op.op === "store.reanchor") {
      // It goes on by itself, so it may be farther than shown, and never less far.
      const seq = yield* (yield* NonceStore).storeSeq
      const unmet: Unmet = seq < op.expect.storeSeq ? `the host knows only ${seq} changes` : undefined
      return unmet
    }
    const held = yield* (yield* Hold).current
    const unmet: Unmet = Option.match(held, {
      onNone: () => "the host is not held",
      onSome: ({ since }) => (since === op.expect.since ? undefined : "another hold was set since")
    })
    return unmet
  })

export const performLocal = (op: LocalOp) =>
  Effect.gen(function*() {
    if (op.op === "store.reanchor") return yield* Effect.asVoid((yield* NonceStore).reanchor)
    yield* (yield* Hold).release
    yield* (yield* OpNews).released("an operator's signature", op.reason)
  })

/** Whether it was done, for an op that a crash interrupted. */
export const localDone = (op: LocalOp) =>
  Effect.gen(function*() {
    if (op.op === "store.reanchor") return (yield* (yield* NonceStore).hostEpoch) !== op.hostEpoch
    const held = yield* (yield* Hold).current
    return Option.isNone(held) || held.value.since !== op.expect.since
  })
