import { describe, it } from "@effect/vitest"
import { boundedInterval, boundedPause, jittered, longestRetryMillis, retryDelay } from "@felhom/agent/Pace"
import * as fc from "effect/FastCheck"
import { expect } from "vitest"

describe("the agent's pace", () => {
  it("is the hub's wish within the agent's own bounds", () => {
    expect([0, 1, 5, 30, 3600, 1e9].map(boundedInterval)).toEqual([5000, 5000, 5000, 30_000, 3_600_000, 3_600_000])
  })

  it("leaves a hub alone for as long as it asks, an hour at most", () => {
    expect([undefined, 0, 90, 1e6].map(boundedPause)).toEqual([0, 0, 90_000, 3_600_000])
  })

  it("is never quite the same on two hosts", () => {
    expect([0, 0.5, 0.999999].map((random) => jittered(30_000, random))).toEqual([27_000, 30_000, 33_000])
  })

  it("slows down while the hub is away, to five minutes, and never stops trying", () => {
    expect([1, 2, 3, 4, 5, 6, 50, 1e6].map((failures) => retryDelay(10_000, failures, 1))).toEqual([
      20_000,
      40_000,
      80_000,
      160_000,
      300_000,
      300_000,
      300_000,
      300_000
    ])
    fc.assert(
      fc.property(
        fc.integer({ min: 5000, max: 3_600_000 }),
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (interval, failures, random) => {
          const delay = retryDelay(interval, failures, random)
          expect(delay).toBeGreaterThanOrEqual(interval / 2)
          expect(delay).toBeLessThanOrEqual(Math.max(interval, longestRetryMillis))
        }
      ),
      { numRuns: 1000 }
    )
  })
})
