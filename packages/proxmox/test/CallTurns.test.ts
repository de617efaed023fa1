import { describe, expect, it } from "@effect/vitest"
import { makeCallTurns } from "@felhom/proxmox/CallTurns"
import { Deferred, Effect, Exit, Fiber, Option, Scheduler } from "effect"

/** Calls that say when they began, and end when they are told to. */
const calls = Effect.gen(function*() {
  const inTurn = yield* makeCallTurns(2)
  const begun: Array<number> = []
  const call = (n: number) =>
    Effect.gen(function*() {
      const end = yield* Deferred.make<void, string>()
      const fiber = yield* Effect.fork(
        inTurn(Effect.zipRight(Effect.sync(() => begun.push(n)), Effect.as(Deferred.await(end), n)))
      )
      yield* Effect.yieldNow()
      return { end, fiber }
    })
  return { begun, call }
})

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

describe("calls in turn", () => {
  it.effect("begin two at once, and the others in the order in which they came", () =>
    Effect.gen(function*() {
      const { begun, call } = yield* calls
      const all = yield* Effect.forEach([1, 2, 3, 4], call)
      expect(begun).toEqual([1, 2])
      yield* Deferred.succeed(all[1]!.end, undefined)
      yield* Fiber.join(all[1]!.fiber)
      yield* Effect.yieldNow()
      expect(begun).toEqual([1, 2, 3])
      yield* Effect.forEach(all, ({ end }) => Deferred.succeed(end, undefined))
      expect(yield* Effect.forEach(all, ({ fiber }) => Fiber.join(fiber))).toEqual([1, 2, 3, 4])
    }))

  it.effect("give their turn back when they fail, die or are interrupted", () =>
    Effect.gen(function*() {
      const { begun, call } = yield* calls
      const [one, two, three] = [yield* call(1), yield* call(2), yield* call(3)]
      yield* Deferred.fail(one.end, "refused")
      expect(Exit.isFailure(yield* Fiber.await(one.fiber))).toBe(true)
      yield* Deferred.die(two.end, new Error("broken"))
      yield* Fiber.await(two.fiber)
      yield* Effect.yieldNow()
      expect(begun).toEqual([1, 2, 3])
      yield* Fiber.interrupt(three.fiber)
      yield* call(4)
      yield* call(5)
      expect(begun).toEqual([1, 2, 3, 4, 5])
    }))

  it.effect("that are interrupted while they wait never begin, and keep nobody from their turn", () =>
    Effect.gen(function*() {
      const { begun, call } = yield* calls
      const [one, two, three, four] = [yield* call(1), yield* call(2), yield* call(3), yield* call(4)]
      yield* Fiber.interrupt(three.fiber)
      yield* Deferred.succeed(one.end, undefined)
      yield* Deferred.succeed(two.end, undefined)
      yield* Fiber.join(two.fiber)
      yield* Effect.yieldNow()
      expect(begun).toEqual([1, 2, 4])
      yield* Deferred.succeed(four.end, undefined)
      yield* Fiber.join(four.fiber)
      yield* call(5)
      yield* call(6)
      yield* call(7)
      expect(begun).toEqual([1, 2, 4, 5, 6])
    }))

  it.effect("that are interrupted in the moment in which their turn comes pass it on", () =>
    Effect.gen(function*() {
      const { begun, call } = yield* calls
      const [one, two, three] = [yield* call(1), yield* call(2), yield* call(3)]
      // Both are told in one go, so the one that waits hears of its turn and of its end together.
      yield* Deferred.succeed(one.end, undefined)
      yield* Fiber.interruptFork(three.fiber)
      yield* Fiber.await(three.fiber)
      yield* Deferred.succeed(two.end, undefined)
      yield* Fiber.join(two.fiber)
      yield* Effect.forEach([4, 5], call)
      expect(begun.filter((n) => n !== 3)).toEqual([1, 2, 4, 5])
    }))

  it.effect("reach whoever is held up between standing in line and waiting", () =>
    Effect.gen(function*() {
      const stuck: Array<string> = []
      // At each of its steps in turn it gives way to others, for as long as they hold the turn and longer.
      for (let steps = 1; steps < 24; steps++) {
        for (let holds = 0; holds < 6; holds++) {
          const inTurn = yield* makeCallTurns(1)
          yield* Effect.fork(inTurn(Effect.repeatN(Effect.yieldNow(), holds)))
          const last = yield* Effect.fork(heldUpAfter(steps, inTurn(Effect.void)))
          yield* Effect.repeatN(Effect.yieldNow(), 50)
          if (Option.isNone(yield* Fiber.poll(last))) stuck.push(`after ${steps} steps, held for ${holds}`)
        }
      }
      expect(stuck).toEqual([])
    }))
})
