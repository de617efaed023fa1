import type { SignedOp } from "@felhom/domain/SignedOp"
import { Effect, type Scope } from "effect"
import { isHeavy, queueOf } from "./OpTarget.ts"

/** Does something as the only one of its weight. What an op waits for by itself is no part of that. */
export type Alone = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Work on ops: one after the other for each target, and of what loads the host one at a time. */
export interface OpQueues {
  /**
   * Begins the work when its turn for the target has come; what loads the host, the work does in `alone`. Answers at once; the
   * work ends with the scope.
   */
  readonly add: (op: SignedOp, work: (alone: Alone) => Effect.Effect<void>) => Effect.Effect<void>
}

export const makeOpQueues: Effect.Effect<OpQueues, never, Scope.Scope> = Effect.gen(function*() {
  const scope = yield* Effect.scope
  const heavy = yield* Effect.makeSemaphore(1)
  const turns = new Map<string, { readonly turn: Effect.Semaphore; waiting: number }>()

  return {
    add: (op, work) =>
      Effect.suspend(() => {
        const name = queueOf(op)
        const queue = turns.get(name) ?? { turn: Effect.unsafeMakeSemaphore(1), waiting: 0 }
        turns.set(name, queue)
        queue.waiting += 1
        const left = Effect.sync(() => {
          queue.waiting -= 1
          if (queue.waiting === 0) turns.delete(name)
        })
        const inTurn = queue.turn.withPermits(1)(work(isHeavy(op) ? heavy.withPermits(1) : (effect) => effect))
        // Whoever adds it may be in the middle of what must not be cut short; the work itself may be.
        return Effect.asVoid(Effect.forkIn(Effect.ensuring(Effect.interruptible(inTurn), left), scope))
      })
  }
})
