import { Effect } from "effect"

/** Lets those of one key through one after another, and those of different keys at once. */
export interface KeyedTurns {
  readonly alone: (key: string) => <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Lets the next one go. */
type Go = () => void

/**
 * A report goes through here with nobody beside it, nearly always. So those who wait are a list, and a key with nobody is none:
 * a semaphore for each key and its bookkeeping cost a report more than its statements do.
 */
export const make: Effect.Effect<KeyedTurns> = Effect.sync(() => {
  const turns = new Map<string, Array<Go>>()

  const passOn = (key: string): void => {
    const go = turns.get(key)?.shift()
    if (go === undefined) turns.delete(key)
    else go()
  }

  const turn = (key: string, waiting: Array<Go>): Effect.Effect<void> =>
    Effect.async((resume) => {
      const go = () => resume(Effect.void)
      waiting.push(go)
      return Effect.sync(() => {
        const place = waiting.indexOf(go)
        // Whoever is interrupted with the turn already in hand passes it on.
        if (place < 0) passOn(key)
        else waiting.splice(place, 1)
      })
    })

  return {
    alone: (key) => (work) =>
      Effect.uninterruptibleMask((restore) => {
        const waiting = turns.get(key)
        if (waiting === undefined) turns.set(key, [])
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
        return waiting === undefined ? mine : Effect.zipRight(restore(turn(key, waiting)), mine)
      })
  }
})
