import { Deferred, Effect, FiberId } from "effect"

/** Lets work through one after another, in the order in which it came. */
export interface Turns {
  /** Only for what can't be interrupted: whoever left the queue would keep the place of those behind. */
  readonly alone: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Answers when it is one's turn, which lasts until `leave`: for whoever sees to the end of the work anyway. */
  readonly enter: Effect.Effect<void>
  readonly leave: () => void
}

/** What Effect's semaphore does in a dozen steps more, which is a good part of what a record costs. */
export const make = (): Turns => {
  // Whoever finds it taken stands in line in that very step: a fiber may be held up before it begins to wait, and a turn that is
  // passed on meanwhile must find it there.
  const waiting: Array<Deferred.Deferred<void>> = []
  let busy = false
  const leave = () => {
    const first = waiting.shift()
    if (first === undefined) busy = false
    else Deferred.unsafeDone(first, Effect.void)
  }
  const enter = Effect.suspend(() => {
    if (!busy) {
      busy = true
      return Effect.void
    }
    const turn = Deferred.unsafeMake<void>(FiberId.none)
    waiting.push(turn)
    return Deferred.await(turn)
  })
  return {
    alone: (work) =>
      Effect.flatMap(enter, () =>
        Effect.matchCauseEffect(work, {
          onSuccess: (value) => {
            leave()
            return Effect.succeed(value)
          },
          onFailure: (cause) => {
            leave()
            return Effect.failCause(cause)
          }
        })),
    enter,
    leave
  }
}
