import { Deferred, Effect, FiberId } from "effect"

/** Lets so many calls through at once, the others in the order in which they came. */
export type CallTurns = <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** What Effect's semaphore does in many more steps, which were a good part of those of a call. */
export const makeCallTurns = (atOnce: number): Effect.Effect<CallTurns> =>
  Effect.sync(() => {
    let free = atOnce
    // Whoever finds no turn free stands in line in that very step: a fiber may be held up before it begins to wait.
    const waiting = new Set<Deferred.Deferred<void>>()
    const release = (): void => {
      const [next] = waiting
      if (next === undefined) {
        free += 1
        return
      }
      waiting.delete(next)
      Deferred.unsafeDone(next, Effect.void)
    }
    // Only to be run where it can't be interrupted: whoever took a turn gives it back.
    const released = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.matchCauseEffect(call, {
        onFailure: (cause) => {
          release()
          return Effect.failCause(cause)
        },
        onSuccess: (value) => {
          release()
          return Effect.succeed(value)
        }
      })
    return (call) =>
      Effect.uninterruptibleMask((restore) => {
        if (free > 0) {
          free -= 1
          return released(restore(call))
        }
        const turn = Deferred.unsafeMake<void>(FiberId.none)
        waiting.add(turn)
        return Effect.matchCauseEffect(restore(Deferred.await(turn)), {
          onFailure: (cause) => {
            // Whoever is interrupted with the turn already in hand gives it back.
            if (!waiting.delete(turn)) release()
            return Effect.failCause(cause)
          },
          onSuccess: () => released(restore(call))
        })
      })
  })
