import { parsePins, PinMismatch, pinMismatchOf } from "@felhom/domain/PeerPin"
import { Either } from "effect"
import { describe, expect, it } from "vitest"

const digits = "ab".repeat(32)
const other = "cd".repeat(32)

describe("a list of pins", () => {
  it("has commas or spaces between them, with colons in them or without", () => {
    const colons = (digits.match(/../g) ?? []).join(":").toUpperCase()
    expect(Either.getOrThrow(parsePins(` ${colons}, spki:${other}\n${digits}`))).toEqual([
      { kind: "leaf", sha256: digits },
      { kind: "spki", sha256: other },
      { kind: "leaf", sha256: digits }
    ])
  })

  it("that names none is an error, so that nothing is reached without a pin", () => {
    for (const text of ["", "  ", ",", " , "]) {
      expect(Either.getLeft(parsePins(text))).toMatchObject({ value: { text: "" } })
    }
  })

  it("with one unreadable pin is refused whole, and says which", () => {
    expect(Either.getLeft(parsePins(`${digits},nonsense`))).toMatchObject({ value: { text: "nonsense" } })
  })
})

describe("the mismatch in an error", () => {
  const mismatch = new PinMismatch({ peer: "demo:8006", leaf: null, spki: null })

  it("is found itself and through its chain of causes", () => {
    expect(pinMismatchOf(mismatch)).toBe(mismatch)
    expect(pinMismatchOf(new Error("a", { cause: new Error("b", { cause: mismatch }) }))).toBe(mismatch)
  })

  it("is none in any other error, a chain that runs in a circle included", () => {
    const circle = new Error("a")
    circle.cause = circle
    for (const error of [circle, new Error("a"), undefined, "text"]) expect(pinMismatchOf(error)).toBeUndefined()
  })
})
