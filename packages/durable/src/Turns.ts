import { Effect } from "effect"

/** Lets work through one after another, in the order in which it came. */
export interface Turns {
  /** Only for what can't be interrupted: whoever left the queue would keep the place of those behind. */
  readonly alone: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** What Effect's semaphore does in a dozen steps more, which is a good part of what a record costs. */
export const make = (): Turns => {
  const waiting: Array<(go: Effect.Effect<void>) => void> = []
  let busy = false
  const next = () => {
    const first = waiting.shift()
    if (first === undefined) busy = false
    else first(Effect.void)
  }
  const ended = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.matchCauseEffect(work, {
      onSuccess: (value) => {
        next()
        return Effect.succeed(value)
      },
      onFailure: (cause) => {
        next()
        return Effect.failCause(cause)
      }
    })
  return {
    alone: (work) =>
      Effect.suspend(() => {
        if (busy) return Effect.zipRight(Effect.async<void>((resume) => void waiting.push(resume)), ended(work))
        busy = true
        return ended(work)
      })
  }
}
