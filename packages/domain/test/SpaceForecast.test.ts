import { forecastOf, judgeSpace, type SpacePoint } from "@felhom/domain/SpaceForecast"
import { describe, expect, it } from "vitest"

const gib = 1024 ** 3

/** Used, in GiB, one day after the other, of 100 GiB. */
const days = (used: ReadonlyArray<number>, total = 100): ReadonlyArray<SpacePoint> =>
  used.map((value, at) => ({ day: 20_000 + at, used: value * gib, total: total * gib }))

const line = (from: number, step: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, at) => from + step * at)

describe("when a storage will be full", () => {
  it("is said after a week of days, as a straight line goes on", () => {
    const found = forecastOf(days(line(50, 1, 11)))
    expect(found?.days).toBeCloseTo(40, 6)
    expect(found?.early).toBeCloseTo(40, 6)
    expect(found?.late).toBeCloseTo(40, 6)
    expect((found?.pace ?? 0) / gib).toBeCloseTo(1, 6)
  })

  it("is not said of a few days, of one that does not grow, or where chance explains the growth", () => {
    expect(forecastOf([])).toBeUndefined()
    expect(forecastOf(days(line(50, 1, 6)))).toBeUndefined()
    expect(forecastOf(days(line(50, 1, 7)))).toBeUndefined()
    expect(forecastOf(days(line(50, -1, 20)))).toBeUndefined()
    expect(forecastOf(days(line(50, 0, 20)))).toBeUndefined()
    expect(forecastOf(days([50, 58, 44, 57, 45, 59, 46, 58, 47, 57]))).toBeUndefined()
  })

  it("is said with how far it may be off, the wider the less the days agree", () => {
    const found = forecastOf(days(line(50, 1, 20).map((used, at) => used + (at % 2 === 0 ? 1 : -1))))
    expect(found).toBeDefined()
    const { days: middle = 0, early = 0, late = 0 } = found ?? {}
    expect(early).toBeLessThan(middle)
    expect(late).toBeGreaterThan(middle)
  })

  it("begins anew where the storage was made larger, and not where a pool's size moves a little", () => {
    const before = days(line(80, 1, 10))
    const after = days(line(90, 0.1, 4), 500).map((point) => ({ ...point, day: point.day + 10 }))
    expect(forecastOf([...before, ...after])).toBeUndefined()
    const moving = days(line(50, 1, 11)).map((point, at) => ({ ...point, total: point.total - at * 0.1 * gib }))
    expect(forecastOf(moving)).toBeDefined()
  })
})

describe("a storage's room", () => {
  it("is well while there is plenty and none of it goes soon", () => {
    expect(judgeSpace(days([40]))).toEqual({ state: "ok", reasons: [] })
    expect(judgeSpace(days(line(10, 0.5, 30)))).toEqual({ state: "ok", reasons: [] })
    expect(judgeSpace([]).state).toBe("unknown")
    expect(judgeSpace(days([0], 0)).state).toBe("unknown")
  })

  it("is short when it is nearly gone, or will be within a month", () => {
    expect(judgeSpace(days([95]))).toEqual({ state: "warn", reasons: ["it is 95 % full"] })
    expect(judgeSpace(days(line(60, 1, 21)))).toEqual({
      state: "warn",
      reasons: ["it is 80 % full", "full in about 20 days (20 to 20) if it goes on as in the last 20 days"]
    })
  })

  it("has failed when it is gone, or will be within a week", () => {
    expect(judgeSpace(days([99.5])).state).toBe("fail")
    expect(judgeSpace(days(line(75, 1, 20))).state).toBe("fail")
  })
})
