import { Deferred, Effect, FiberId } from "effect"

/** Lets those of one key through one after another, and those of different keys at once. */
export interface KeyedTurns {
  readonly alone: (key: string) => <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * A report goes through here with nobody beside it, nearly always. So those who wait are a list, and a key with nobody is none:
 * a semaphore for each key and its bookkeeping cost a report more than its statements do.
 */
export const make: Effect.Effect<KeyedTurns> = Effect.sync(() => {
  const turns = new Map<string, Array<Deferred.Deferred<void>>>()

  const passOn = (key: string): void => {
    const next = turns.get(key)?.shift()
    if (next === undefined) turns.delete(key)
    else Deferred.unsafeDone(next, Effect.void)
  }

  return {
    alone: (key) => (work) =>
      Effect.uninterruptibleMask((restore) => {
        const waiting = turns.get(key)
        const mine = Effect.matchCauseEffect(restore(work), {
          onSuccess: (value) => {
            passOn(key)
            return Effect.succeed(value)
          },
          onFailure: (cause) => {
            passOn(key)
            return Effect.failCause(cause)
          }
        })
        if (waiting === undefined) {
          turns.set(key, [])
          return mine
        }
        // It stands in line in this very step: a fiber may be held up before it begins to wait.
        const turn = Deferred.unsafeMake<void>(FiberId.none)
        waiting.push(turn)
        return Effect.matchCauseEffect(restore(Deferred.await(turn)), {
          onFailure: (cause) => {
            const place = waiting.indexOf(turn)
            // Whoever is interrupted with the turn already in hand passes it on.
            if (place < 0) passOn(key)
            else waiting.splice(place, 1)
            return Effect.failCause(cause)
          },
          onSuccess: () => mine
        })
      })
  }
})
