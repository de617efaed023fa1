import { describe, it } from "@effect/vitest"
import * as KeyedTurns from "@felhom/hub/KeyedTurns"
import { Deferred, Effect, Exit, Fiber, Option, Scheduler } from "effect"
import { expect } from "vitest"

/** Work that says when it began, and goes on until it is let go. */
const held = (name: string, log: Array<string>) =>
  Effect.map(Deferred.make<void>(), (gate) => ({
    gate,
    work: Effect.zipRight(Effect.sync(() => log.push(name)), Deferred.await(gate))
  }))

/** Lets all that can go on do so. */
const settled = Effect.repeatN(Effect.yieldNow(), 20)

/** Gives way to others once, after so many steps. */
const heldUpAfter = <A>(steps: number, effect: Effect.Effect<A>): Effect.Effect<A> => {
  let isOver = false
  return Effect.withScheduler(effect, {
    shouldYield: ({ currentOpCount }) => {
      if (isOver || currentOpCount < steps) return false
      isOver = true
      return 0
    },
    scheduleTask: (task, priority) => Scheduler.defaultScheduler.scheduleTask(task, priority)
  })
}

describe("turns by key", () => {
  it.effect("come one after another in their order, and beside those of other keys", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { alone } = yield* KeyedTurns.make
      const first = yield* held("first", log)
      yield* Effect.fork(alone("a")(first.work))
      yield* settled
      yield* Effect.fork(alone("a")(Effect.sync(() => log.push("second"))))
      const last = yield* Effect.fork(alone("a")(Effect.sync(() => log.push("third"))))
      yield* alone("b")(Effect.sync(() => log.push("other")))
      yield* settled
      expect(log).toEqual(["first", "other"])
      yield* Deferred.succeed(first.gate, undefined)
      yield* Fiber.join(last)
      expect(log).toEqual(["first", "other", "second", "third"])
    }))

  it.effect("go on after work that failed, died or was interrupted, which is told as it was", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { alone } = yield* KeyedTurns.make
      expect(yield* Effect.flip(alone("a")(Effect.fail("no")))).toBe("no")
      expect(Exit.isFailure(yield* Effect.exit(alone("a")(Effect.die("fault"))))).toBe(true)
      const long = yield* Effect.fork(alone("a")(Effect.never))
      yield* settled
      const next = yield* Effect.fork(alone("a")(Effect.sync(() => log.push("next"))))
      yield* settled
      expect(log).toEqual([])
      expect(Exit.isInterrupted(yield* Fiber.interrupt(long))).toBe(true)
      yield* Fiber.join(next)
      expect(log).toEqual(["next"])
    }))

  it.effect("are not kept by who stopped waiting for one", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { alone } = yield* KeyedTurns.make
      const first = yield* held("first", log)
      yield* Effect.fork(alone("a")(first.work))
      yield* settled
      const early = yield* Effect.fork(alone("a")(Effect.sync(() => log.push("early"))))
      const last = yield* Effect.fork(alone("a")(Effect.sync(() => log.push("last"))))
      yield* settled
      yield* Fiber.interrupt(early)
      yield* Deferred.succeed(first.gate, undefined)
      yield* Fiber.join(last)
      expect(log).toEqual(["first", "last"])
    }))

  it.effect("are passed on by who is stopped in the moment in which it was given one", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { alone } = yield* KeyedTurns.make
      const first = yield* held("first", log)
      const waiting = yield* Deferred.make<Fiber.RuntimeFiber<number>>()
      // Nobody comes between the end of the first one's turn and what follows it.
      yield* Effect.fork(Effect.flatMap(
        Deferred.await(waiting),
        (stopped) => Effect.map(alone("a")(first.work), () => stopped.unsafeInterruptAsFork(stopped.id()))
      ))
      yield* settled
      const stopped = yield* Effect.fork(Effect.zipRight(settled, alone("a")(Effect.sync(() => log.push("stopped")))))
      yield* Deferred.succeed(waiting, stopped)
      yield* Effect.repeatN(settled, 5)
      const last = yield* Effect.fork(alone("a")(Effect.sync(() => log.push("last"))))
      yield* settled
      yield* Deferred.succeed(first.gate, undefined)
      yield* Fiber.join(last)
      expect(log).toEqual(["first", "last"])
    }))

  it.effect("reach whoever is held up between standing in line and waiting", () =>
    Effect.gen(function*() {
      const stuck: Array<string> = []
      // At each of its steps in turn it gives way to others, for as long as they hold the turn and longer.
      for (let steps = 1; steps < 24; steps++) {
        for (let holds = 0; holds < 6; holds++) {
          const { alone } = yield* KeyedTurns.make
          yield* Effect.fork(alone("a")(Effect.repeatN(Effect.yieldNow(), holds)))
          const last = yield* Effect.fork(heldUpAfter(steps, alone("a")(Effect.void)))
          yield* Effect.repeatN(Effect.yieldNow(), 50)
          if (Option.isNone(yield* Fiber.poll(last))) stuck.push(`after ${steps} steps, held for ${holds}`)
        }
      }
      expect(stuck).toEqual([])
    }))
})
