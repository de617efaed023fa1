import { describe, it } from "@effect/vitest"
import * as HubTime from "@felhom/authz/HubTime"
import { makeRateCap } from "@felhom/authz/RateCap"
import { EpochMillis } from "@felhom/domain/Time"
import { Array, Effect, Option, TestClock } from "effect"
import { expect } from "vitest"

describe("what a hub sends", () => {
  it.effect("is looked at so often at once, and then as it adds up, but never to more than at once", () =>
    Effect.gen(function*() {
      const cap = yield* makeRateCap({ atOnce: 3, perMinute: 60 })
      const passed = (asked: number) =>
        Effect.map(Effect.forEach(Array.range(1, asked), () => cap), (all) => all.filter(Boolean).length)
      expect(yield* passed(5)).toBe(3)
      yield* TestClock.adjust("999 millis")
      expect(yield* cap).toBe(false)
      yield* TestClock.adjust("1 millis")
      expect(yield* passed(5)).toBe(1)
      yield* TestClock.adjust("2 seconds")
      expect(yield* passed(5)).toBe(2)
      yield* TestClock.adjust("1 hour")
      expect(yield* passed(5)).toBe(3)
    }))

  it.effect("tells how far ahead of it the host's clock is, by what it said last", () =>
    Effect.gen(function*() {
      const { ahead, heard } = yield* HubTime.make
      expect(yield* ahead).toEqual(Option.none())
      yield* TestClock.setTime(10_000)
      yield* heard(EpochMillis.make(4_000))
      yield* TestClock.adjust("1 minute")
      expect(yield* ahead).toEqual(Option.some(6_000))
      yield* heard(EpochMillis.make(70_500))
      expect(yield* ahead).toEqual(Option.some(-500))
      expect(HubTime.hubTolerance).toBe(120_000)
    }))
})
