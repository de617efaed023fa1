import { Effect } from "effect"

/** Lets those of one key through one after another, and those of different keys at once. */
export interface KeyedTurns {
  readonly alone: (key: string) => <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

interface Turn {
  readonly turn: Effect.Semaphore
  users: number
}

export const make: Effect.Effect<KeyedTurns> = Effect.sync(() => {
  const turns = new Map<string, Turn>()
  return {
    alone: (key) => (work) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const held = turns.get(key) ?? { turn: Effect.unsafeMakeSemaphore(1), users: 0 }
          held.users += 1
          turns.set(key, held)
          return held
        }),
        ({ turn }) => turn.withPermits(1)(work),
        (held) =>
          Effect.sync(() => {
            held.users -= 1
            if (held.users === 0) turns.delete(key)
          })
      )
  }
})
