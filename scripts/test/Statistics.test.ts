import { describe, expect, it } from "vitest"
import { median, quantile, ratio, slopeOf } from "../bench/Statistics.ts"

describe("the median", () => {
  it("is the middle value, whatever the order and however far the others are", () =>
    expect(median([900, 3, 1])).toBe(3))

  it("of an even number of values is between the two middle ones", () => expect(median([4, 1, 2, 100])).toBe(3))

  it("of nothing is no number", () => expect(median([])).toBeNaN())
})

it("a quantile is the least value that so many do not exceed", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(quantile(values, 0.99)).toBe(99)
  expect(quantile([...values, 1000], 0.99)).toBe(100)
  expect(quantile([5], 0.5)).toBe(5)
  expect(quantile([], 0.99)).toBeNaN()
})

it("a ratio is of medians, so that one disturbed round does not move it", () =>
  expect(ratio([10, 12, 500], [5, 6, 4])).toBe(12 / 5))

describe("the slope", () => {
  it("of points on a line is the line's, without doubt", () => {
    const { confidence, slope } = slopeOf([[0, 7], [10, 27], [20, 47], [30, 67]])
    expect(slope).toBeCloseTo(2, 12)
    expect(confidence).toBeCloseTo(0, 12)
  })

  it("of noise around a level has a doubt that is larger than itself", () => {
    const { confidence, slope } = slopeOf([[0, 5], [1, 6], [2, 5], [3, 6], [4, 5], [5, 6], [6, 5]])
    expect(Math.abs(slope)).toBeLessThan(confidence)
  })
})
