import { describe, it } from "@effect/vitest"
import * as Turns from "@felhom/durable/Turns"
import { Deferred, Effect, Exit, Fiber, Option } from "effect"
import { expect } from "vitest"
import { heldUpAfter } from "./HeldUp.ts"

/** Lets all that can go on do so. */
const settled = Effect.repeatN(Effect.yieldNow(), 20)

describe("turns", () => {
  it.effect("come one after another, in their order", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { alone } = Turns.make()
      const gate = yield* Deferred.make<void>()
      const say = (word: string) => Effect.sync(() => void log.push(word))
      yield* Effect.fork(
        alone(Effect.zipRight(say("first begins"), Effect.zipRight(Deferred.await(gate), say("and ends"))))
      )
      yield* settled
      yield* Effect.fork(alone(say("second")))
      const last = yield* Effect.fork(alone(say("third")))
      yield* settled
      expect(log).toEqual(["first begins"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(last)
      expect(log).toEqual(["first begins", "and ends", "second", "third"])
    }))

  it.effect("go on after what failed or died, which is told as it was", () =>
    Effect.gen(function*() {
      const { alone } = Turns.make()
      expect(yield* Effect.flip(alone(Effect.fail("no")))).toBe("no")
      expect(Exit.isFailure(yield* Effect.exit(alone(Effect.die("fault"))))).toBe(true)
      expect(yield* alone(Effect.succeed("yes"))).toBe("yes")
    }))

  it.effect("reach whoever is held up between standing in line and waiting", () =>
    Effect.gen(function*() {
      const stuck: Array<string> = []
      // At each of its steps in turn it gives way to others, for as long as they hold the turn and longer.
      for (let steps = 1; steps < 24; steps++) {
        for (let holds = 0; holds < 6; holds++) {
          const { alone } = Turns.make()
          yield* Effect.fork(alone(Effect.repeatN(Effect.yieldNow(), holds)))
          const last = yield* Effect.fork(heldUpAfter(steps, alone(Effect.void)))
          yield* Effect.repeatN(Effect.yieldNow(), 50)
          if (Option.isNone(yield* Fiber.poll(last))) stuck.push(`after ${steps} steps, held for ${holds}`)
        }
      }
      expect(stuck).toEqual([])
    }))
})
