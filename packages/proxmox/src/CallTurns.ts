import { Effect } from "effect"

/** Lets so many calls through at once, the others in the order in which they came. */
export type CallTurns = <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E>

interface Place {
  granted: boolean
  go: () => void
}

/** What Effect's semaphore does in many more steps, which were a good part of those of a call. */
export const makeCallTurns = (atOnce: number): Effect.Effect<CallTurns> =>
  Effect.sync(() => {
    let free = atOnce
    const waiting = new Set<Place>()
    const release = (): void => {
      const [next] = waiting
      if (next === undefined) {
        free += 1
        return
      }
      waiting.delete(next)
      next.granted = true
      next.go()
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
        const place: Place = { granted: false, go: () => undefined }
        const turn = Effect.async<void>((resume) => {
          place.go = () => resume(Effect.void)
          waiting.add(place)
        })
        return Effect.matchCauseEffect(restore(turn), {
          onFailure: (cause) => {
            if (place.granted) release()
            else waiting.delete(place)
            return Effect.failCause(cause)
          },
          onSuccess: () => released(restore(call))
        })
      })
  })
