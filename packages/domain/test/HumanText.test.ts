import { humanBytes, humanDuration, humanShare } from "@felhom/domain/HumanText"
import { describe, expect, it } from "vitest"

describe("sizes", () => {
  it.each([
    [0, "0.0 GiB"],
    [1, "<0.1 GiB"],
    [512 * 1024 ** 2, "0.5 GiB"],
    [1.5 * 1024 ** 3, "1.5 GiB"],
    [4 * 1024 ** 4, "4096.0 GiB"]
  ])("%d bytes read %s", (bytes, text) => {
    expect(humanBytes(bytes)).toBe(text)
  })
})

describe("durations", () => {
  it.each([
    [-5000, "0 s"],
    [999, "0 s"],
    [42_000, "42 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3 * 60_000 + 59_000, "3 min"],
    [2 * 3_600_000, "2 h"],
    [5 * 86_400_000, "5 d"],
    [400 * 86_400_000, "400 d"]
  ])("%d ms read %s", (milliseconds, text) => {
    expect(humanDuration(milliseconds)).toBe(text)
  })
})

it("calls nothing full that is not", () => {
  expect(humanShare(0.999)).toBe("99 %")
  expect(humanShare(1)).toBe("100 %")
})
