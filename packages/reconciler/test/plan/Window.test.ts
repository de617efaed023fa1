import { nextOpening } from "@felhom/reconciler/plan/Window"
import { Cron, DateTime, FastCheck as fc, Option } from "effect"
import { describe, expect, it } from "vitest"
import { policyOf } from "./ModelHost.ts"

const minute = 60_000

/** The same by Effect's Cron, which knows the zones' clocks by itself. */
const byCron = (
  { from, minutes, weekdays }: {
    readonly from: string
    readonly minutes: number
    readonly weekdays: ReadonlyArray<number>
  },
  zone: string,
  now: number
): number => {
  const [hour = 0, at = 0] = from.split(":").map(Number)
  const tz = Option.getOrThrow(DateTime.zoneFromString(zone))
  const starts = Cron.make({ seconds: [0], minutes: [at], hours: [hour], days: [], months: [], weekdays, tz })
  return Math.max(now, Cron.next(starts, new Date(now - minutes * minute)).getTime())
}

const two = (value: number): string => String(value).padStart(2, "0")

const windows = fc.record({
  // Not where clocks are changed, which the next test is about.
  from: fc.tuple(fc.integer({ min: 4, max: 22 }), fc.integer({ min: 0, max: 59 })).map(([h, m]) =>
    `${two(h)}:${two(m)}`
  ),
  minutes: fc.integer({ min: 1, max: 24 * 60 }),
  weekdays: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 7 })
})

describe("a maintenance window", () => {
  it("opens when the zone's own clocks say so, all year round, wherever that is", () => {
    fc.assert(
      fc.property(
        windows,
        fc.constantFrom("UTC", "Europe/Budapest", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "+05:30"),
        fc.integer({ min: 1_750_000_000_000, max: 1_850_000_000_000 }),
        (window, timeZone, now) => {
          expect(nextOpening(policyOf({ maintenance: [window], timeZone }), now)).toBe(byCron(window, timeZone, now))
        }
      ),
      { numRuns: 500 }
    )
  })

  it("opens once on the night on which the clocks are set back, and an hour later where they leap over it", () => {
    const policy = policyOf({ maintenance: [{ from: "02:30", minutes: 30 }], timeZone: "Europe/Budapest" })
    const opened = (now: string) => new Date(nextOpening(policy, Date.parse(now))).toISOString()
    expect(opened("2026-10-24T20:00:00Z")).toBe("2026-10-25T00:30:00.000Z")
    expect(opened("2026-10-25T01:30:00Z")).toBe("2026-10-26T01:30:00.000Z")
    expect(opened("2026-03-28T20:00:00Z")).toBe("2026-03-29T01:30:00.000Z")
    expect(opened("2026-03-29T01:45:00Z")).toBe("2026-03-29T01:45:00.000Z")
  })
})
