import { describe, expect, it } from "vitest"
import { anyFailed, type Figure, tableOf, verdictOf } from "../bench/Figure.ts"

const figure = (changes: Partial<Figure>): Figure => ({
  id: "A1",
  name: "idle memory",
  value: 1.5,
  unit: "x",
  gate: 1.8,
  goal: 1.35,
  detail: "",
  ...changes
})

describe("a figure", () => {
  it.each([
    [1.35, "goal"],
    [1.36, "gate"],
    [1.8, "gate"],
    [1.81, "FAIL"],
    [Number.NaN, "FAIL"],
    [Number.POSITIVE_INFINITY, "FAIL"]
  ])("of %d is judged: %s", (value, verdict) => expect(verdictOf(figure({ value }))).toBe(verdict))

  it("without a goal can't reach it", () => expect(verdictOf(figure({ value: 0, goal: null }))).toBe("gate"))

  it("without a gate is only told", () => expect(verdictOf(figure({ value: 1000, gate: null }))).toBe("told"))
})

it("one figure beyond its gate fails the whole bench", () => {
  expect(anyFailed([figure({}), figure({ value: 9, gate: null })])).toBe(false)
  expect(anyFailed([figure({}), figure({ value: 1.9 })])).toBe(true)
})

it("the table has the value first, its bounds and verdict beside it, and what it was made from below", () =>
  expect(tableOf([figure({ detail: "75.0 MB / 50.0 MB" }), figure({ id: "B1", unit: "", value: 6, gate: 7, goal: 5 })]))
    .toBe([
      "    VALUE   GATE  GOAL        FIGURE",
      "A1  1.50 x  1.8   1.35  gate  idle memory",
      "    75.0 MB / 50.0 MB",
      "B1  6       7     5     gate  idle memory"
    ].join("\n")))

it("a figure that could not be measured says so and fails", () =>
  expect(tableOf([figure({ value: Number.NaN })])).toMatch(/not measured x .* FAIL/))
