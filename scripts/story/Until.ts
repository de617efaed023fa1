import { Effect, Option } from "effect"
import { StoryFailed } from "./StoryFailed.ts"

/** Looks twice a second until something is there. When it does not come in a minute, says what was waited for. */
export const until = <A, E, R>(
  what: string,
  look: Effect.Effect<Option.Option<A>, E, R>
): Effect.Effect<A, StoryFailed, R> => {
  const attempt: Effect.Effect<A, never, R> = Effect.flatMap(
    Effect.orElseSucceed(look, () => Option.none<A>()),
    Option.match({
      onSome: Effect.succeed,
      onNone: () => Effect.zipRight(Effect.sleep("500 millis"), Effect.suspend(() => attempt))
    })
  )
  return Effect.timeoutFail(attempt, {
    duration: "60 seconds",
    onTimeout: () => new StoryFailed({ message: `waited a minute for this, and it did not come: ${what}` })
  })
}
