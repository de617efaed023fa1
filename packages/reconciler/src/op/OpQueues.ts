import type { SignedOp } from "@felhom/domain/SignedOp"
import { Effect, type Option, type Scope } from "effect"
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
  /** Does something in the queue of this name if nothing is in it; none, and nothing is done, where an op has it or waits. */
  readonly ifFree: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
  /** For what loads the host. */
  readonly heavily: Alone
}

export const makeOpQueues: Effect.Effect<OpQueues, never, Scope.Scope> = Effect.gen(function*() {
  const scope = yield* Effect.scope
  const heavy = yield* Effect.makeSemaphore(1)
  const turns = new Map<string, { readonly turn: Effect.Semaphore; waiting: number }>()

  const entered = (name: string): Effect.Effect<Effect.Semaphore> =>
    Effect.sync(() => {
      const queue = turns.get(name) ?? { turn: Effect.unsafeMakeSemaphore(1), waiting: 0 }
      turns.set(name, queue)
      queue.waiting += 1
      return queue.turn
    })
  const left = (name: string) =>
    Effect.sync(() => {
      const queue = turns.get(name)
      if (queue === undefined) return
      queue.waiting -= 1
      if (queue.waiting === 0) turns.delete(name)
    })
  const heavily: Alone = (effect) => heavy.withPermits(1)(effect)

  return {
    add: (op, work) => {
      const name = queueOf(op)
      return Effect.flatMap(entered(name), (turn) => {
        const inTurn = turn.withPermits(1)(work(isHeavy(op) ? heavily : (effect) => effect))
        // Whoever adds it may be in the middle of what must not be cut short; the work itself may be.
        return Effect.asVoid(Effect.forkIn(Effect.ensuring(Effect.interruptible(inTurn), left(name)), scope))
      })
    },
    ifFree: (name, effect) =>
      Effect.suspend(() =>
        turns.has(name)
          ? Effect.succeedNone
          : Effect.acquireUseRelease(
            entered(name),
            (turn) => Effect.asSome(turn.withPermits(1)(effect)),
            () => left(name)
          )
      ),
    heavily
  }
})
