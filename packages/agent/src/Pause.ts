import { Deferred, Effect, Fiber } from "effect"

/** A pause of the loop, which a bell can end. */
export interface Pause {
  /** Ends after so many milliseconds, or once the bell rings; at once where it has rung since the last pause. */
  readonly take: (millis: number) => Effect.Effect<void>
  readonly ring: Effect.Effect<void>
}

/** One fiber a pause, for its timer: a race takes two and what ends them, in each cycle and nearly always for nothing. */
export const makePause: Effect.Effect<Pause> = Effect.sync(() => {
  let rung = false
  let over: Deferred.Deferred<void> | undefined

  return {
    take: (millis) =>
      Effect.gen(function*() {
        const mine = yield* Deferred.make<void>()
        over = mine
        if (!rung) {
          const timer = yield* Effect.fork(
            Effect.zipRight(Effect.sleep(millis), Deferred.succeed(mine, undefined))
          )
          yield* Deferred.await(mine)
          if (rung) yield* Fiber.interrupt(timer)
        }
        over = undefined
        rung = false
      }),
    ring: Effect.suspend(() => {
      rung = true
      return over === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(over, undefined))
    })
  }
})
