import { type DiskPoint, type DiskSight, judgeDisk } from "@felhom/domain/DiskHealth"
import type { DiskCounters, DiskReading } from "@felhom/domain/DiskReading"
import { describe, expect, it } from "vitest"

const counters: DiskCounters = {
  reallocated: 0,
  pending: 0,
  uncorrectable: 0,
  reported: 0,
  timeouts: 0,
  media: null
}

const silent: DiskReading = {
  serial: "S1",
  model: null,
  exit: 0,
  rotates: true,
  counters,
  criticalWarning: null,
  spare: null,
  spareThreshold: null,
  used: null,
  hours: null,
  celsiusWarning: null,
  celsiusCritical: null
}

const today = 20_000

const sight = (reading: Partial<DiskReading>, of: Partial<DiskSight> = {}): DiskSight => ({
  passed: true,
  celsius: 35,
  lifeLeft: null,
  ...of,
  reading: { ...silent, ...reading }
})

const judged = (
  reading: Partial<DiskReading>,
  of: Partial<DiskSight> = {},
  history: ReadonlyArray<DiskPoint> = []
) => judgeDisk(sight(reading, of), history, today)

/** Points of one counter, by how many days ago. */
const past = (counter: keyof DiskCounters, values: { readonly [daysAgo: number]: number }): ReadonlyArray<DiskPoint> =>
  Object.entries(values)
    .map(([ago, value]) => ({ day: today - Number(ago), counters: { ...counters, [counter]: value }, used: null }))
    .toSorted((a, b) => a.day - b.day)

describe("a disk", () => {
  it("that counts nothing and is cool is well, and one that says nothing of itself, too", () => {
    expect(judged({})).toEqual({ state: "ok", reasons: [] })
    const nothing: DiskCounters = {
      reallocated: null,
      pending: null,
      uncorrectable: null,
      reported: null,
      timeouts: null,
      media: null
    }
    expect(judged({ counters: nothing }, { passed: null, celsius: null })).toEqual({ state: "ok", reasons: [] })
  })

  it("that says itself that it fails has failed, by its verdict or by smartctl's exit status", () => {
    for (const found of [judged({}, { passed: false }), judged({ exit: 8 })]) {
      expect(found).toEqual({
        state: "fail",
        reasons: ["it says that it is failing: save what is on it, and replace it"]
      })
    }
    expect(judged({ exit: 16 }).state).toBe("fail")
    expect(judged({ exit: 32 }).state).toBe("warn")
    expect(judged({ exit: 128 }).state).toBe("warn")
    // Its error log has entries, or one command failed: a cable does that.
    expect(judged({ exit: 64 + 4 }).state).toBe("ok")
  })

  it("that has bad sectors is worth a look from the first one on; timeouts alone are not", () => {
    for (const counter of ["reallocated", "pending", "uncorrectable", "reported", "media"] as const) {
      expect(judged({ counters: { ...counters, [counter]: 1 } }).state, counter).toBe("warn")
    }
    expect(judged({ counters: { ...counters, timeouts: 40 } }).state).toBe("ok")
  })

  it("whose bad sectors grow on two days of a month is dying; on one day it is not yet sure", () => {
    const now = { counters: { ...counters, reallocated: 24 } }
    expect(judged(now, {}, past("reallocated", { 20: 8, 12: 8, 5: 16, 0: 24 }))).toEqual({
      state: "fail",
      reasons: ["it has 24 reallocated sectors, 16 more than 20 days ago, and goes on: replace it"]
    })
    expect(judged(now, {}, past("reallocated", { 20: 16, 12: 16, 0: 24 })).state).toBe("warn")
    // It grew, and that was long ago.
    expect(judged(now, {}, past("reallocated", { 59: 8, 50: 16, 40: 24, 20: 24, 0: 24 }))).toEqual({
      state: "warn",
      reasons: ["it has 24 reallocated sectors"]
    })
    const late = { counters: { ...counters, timeouts: 9 } }
    expect(judged(late, {}, past("timeouts", { 9: 1, 5: 3, 0: 9 })).state).toBe("fail")
  })

  it("on NVMe is judged by its critical warning, its spare blocks and its media errors", () => {
    const healthy = { criticalWarning: 0, spare: 100, spareThreshold: 10, used: 3, rotates: false }
    expect(judged(healthy).state).toBe("ok")
    expect(judged({ ...healthy, criticalWarning: 0b00100 })).toMatchObject({
      state: "fail",
      reasons: [expect.stringContaining("no longer reliable")]
    })
    expect(judged({ ...healthy, criticalWarning: 0b01000 }).state).toBe("fail")
    expect(judged({ ...healthy, criticalWarning: 0b00010 }).state).toBe("warn")
    expect(judged({ ...healthy, criticalWarning: 0b10000 }).state).toBe("warn")
    expect(judged({ ...healthy, spare: 10 }).state).toBe("fail")
    expect(judged({ ...healthy, spare: 18 }).state).toBe("warn")
    // Said once, not by the bit and by the number.
    expect(judged({ ...healthy, criticalWarning: 1, spare: 9 }).reasons).toHaveLength(1)
  })

  it("is worn by its own word, or by what Proxmox reckons where it gives none", () => {
    expect(judged({ used: 89 }).state).toBe("ok")
    expect(judged({ used: 90 })).toMatchObject({
      state: "warn",
      reasons: [expect.stringContaining("90 % of the life")]
    })
    expect(judged({ used: 112 })).toMatchObject({ reasons: [expect.stringContaining("is over (112 % used)")] })
    expect(judged({}, { lifeLeft: 4 })).toMatchObject({ reasons: [expect.stringContaining("96 % of the life")] })
    expect(judged({ used: 5 }, { lifeLeft: 4 }).state).toBe("ok")
  })

  it("is too hot by its own limits, and by data sheets where it names none", () => {
    expect(judged({}, { celsius: 54 }).state).toBe("ok")
    expect(judged({}, { celsius: 55 }).state).toBe("warn")
    expect(judged({}, { celsius: 60 }).state).toBe("fail")
    expect(judged({ rotates: false }, { celsius: 64 }).state).toBe("ok")
    expect(judged({ rotates: false }, { celsius: 70 }).state).toBe("fail")
    expect(judged({ rotates: null }, { celsius: 66 }).state).toBe("warn")
    const own = { celsiusWarning: 83, celsiusCritical: 85, rotates: false }
    expect(judged(own, { celsius: 82 }).state).toBe("ok")
    expect(judged(own, { celsius: 84 }).state).toBe("warn")
    expect(judged(own, { celsius: 85 }).state).toBe("fail")
    expect(judged({ celsiusCritical: 65 }, { celsius: 61 }).state).toBe("warn")
    expect(judged({ celsiusWarning: 70 }, { celsius: 99 }).state).toBe("warn")
  })

  it("tells the worst first", () => {
    const { reasons, state } = judged({ used: 95, criticalWarning: 8 }, { celsius: 56 })
    expect(state).toBe("fail")
    expect(reasons[0]).toContain("takes no writes")
    expect(reasons).toHaveLength(3)
  })
})
