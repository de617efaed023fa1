import { describe, it } from "@effect/vitest"
import { makePause } from "@felhom/agent/Pause"
import { Effect, Fiber, TestClock } from "effect"
import { expect } from "vitest"

const isOver = (fiber: Fiber.RuntimeFiber<void>) => Effect.map(Fiber.poll(fiber), ({ _tag }) => _tag === "Some")

describe("the pause between two cycles", () => {
  it.effect("lasts its time, each time anew", () =>
    Effect.gen(function*() {
      const pause = yield* makePause
      for (const _ of [1, 2]) {
        const taken = yield* Effect.fork(pause.take(1_000))
        yield* TestClock.adjust("999 millis")
        expect(yield* isOver(taken)).toBe(false)
        yield* TestClock.adjust("1 millis")
        expect(yield* isOver(taken)).toBe(true)
      }
    }))

  it.effect("ends when the bell rings, and the next one lasts its time", () =>
    Effect.gen(function*() {
      const pause = yield* makePause
      const taken = yield* Effect.fork(pause.take(1_000))
      yield* TestClock.adjust("400 millis")
      yield* pause.ring
      yield* Fiber.join(taken)
      const next = yield* Effect.fork(pause.take(1_000))
      // When the first one's timer would have ended.
      yield* TestClock.adjust("999 millis")
      expect(yield* isOver(next)).toBe(false)
      yield* TestClock.adjust("1 millis")
      expect(yield* isOver(next)).toBe(true)
    }))

  it.effect("does not begin when the bell has rung since the one before, however often", () =>
    Effect.gen(function*() {
      const pause = yield* makePause
      yield* pause.ring
      yield* pause.ring
      yield* pause.take(1_000)
      const next = yield* Effect.fork(pause.take(1_000))
      yield* TestClock.adjust("999 millis")
      expect(yield* isOver(next)).toBe(false)
      yield* TestClock.adjust("1 millis")
      expect(yield* isOver(next)).toBe(true)
    }))
})
