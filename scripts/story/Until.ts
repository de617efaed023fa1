import { Effect, Option, Ref } from "effect"
import { StoryFailed } from "./StoryFailed.ts"

/** Looks twice a second until something is there. When it does not come in time, a minute if not said, says what was waited for. */
export const until = <A, E extends { readonly message: string }, R>(
  what: string,
  look: Effect.Effect<Option.Option<A>, E, R>,
  seconds = 60
): Effect.Effect<A, StoryFailed, R> =>
  Effect.gen(function*() {
    const trouble = yield* Ref.make("")
    const once = Effect.catchAll(look, (error) => Effect.as(Ref.set(trouble, ` (${error.message})`), Option.none<A>()))
    const attempt: Effect.Effect<A, never, R> = Effect.flatMap(
      once,
      Option.match({
        onSome: Effect.succeed,
        onNone: () => Effect.zipRight(Effect.sleep("500 millis"), Effect.suspend(() => attempt))
      })
    )
    return yield* Effect.timeoutOption(attempt, `${seconds} seconds`).pipe(
      Effect.flatMap(Option.match({
        onSome: Effect.succeed,
        onNone: () =>
          Effect.flatMap(
            Ref.get(trouble),
            (last) => new StoryFailed({ message: `waited ${seconds} s for this, and it did not come: ${what}${last}` })
          )
      }))
    )
  })
