import { Effect, Fiber, Queue, Ref } from "effect"
import { acts } from "../evil/Acts.ts"
import { campaign } from "../evil/Campaign.ts"
import { line, tell } from "./Narrator.ts"

/**
 * Begins the drill of the evil hub, on hosts and agents of its own, and gives what tells it: what was said by then at once, and
 * the rest as it comes. Nearly all of its time is waiting for reports, as is the story's.
 */
export const beginDrill = Effect.gen(function*() {
  const lines = yield* Queue.unbounded<string>()
  const step = yield* Ref.make("")
  const playing = yield* Effect.forkScoped(
    Effect.ensuring(
      Effect.scoped(campaign(step, acts, { tell: (text) => Effect.asVoid(Queue.offer(lines, text)) })),
      Queue.offer(lines, "")
    )
  )
  /** Gives the last line, by which all of it is judged. */
  const telling = Effect.gen(function*() {
    let last = ""
    for (let text = yield* Queue.take(lines); text !== ""; text = yield* Queue.take(lines)) {
      if (last !== "") yield* (last.startsWith("FAILED") ? tell(last) : line(last))
      last = text
    }
    yield* Effect.tapError(Fiber.join(playing), () => line(last))
    return last
  })
  return { telling }
})
