import { Effect } from "effect"

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
  const waiting: Array<(go: Effect.Effect<void>) => void> = []
  let busy = false
  const leave = () => {
    const first = waiting.shift()
    if (first === undefined) busy = false
    else first(Effect.void)
  }
  const enter = Effect.suspend(() => {
    if (busy) return Effect.async<void>((resume) => void waiting.push(resume))
    busy = true
    return Effect.void
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
