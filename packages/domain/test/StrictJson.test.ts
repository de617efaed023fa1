import { describe, it } from "@effect/vitest"
import { Work } from "@felhom/domain/ByteReader"
import { type Json, parseStrictJson } from "@felhom/domain/StrictJson"
import { Either } from "effect"
import { expect } from "vitest"

const bytes = (text: string) => new TextEncoder().encode(text)
const read = (text: string): Json | undefined =>
  Either.match(parseStrictJson(bytes(text), 4096), { onLeft: () => undefined, onRight: (value) => value })
const refusal = (text: string, longest = 4096) =>
  Either.match(parseStrictJson(bytes(text), longest), {
    onLeft: ({ message, reason }) => `${reason}, ${message}`,
    onRight: () => "read"
  })

const nested = (depth: number, open: string, close: string) => `${open.repeat(depth)}0${close.repeat(depth)}`

describe("strict JSON", () => {
  it("reads what JSON.parse reads", () => {
    for (const value of [{ a: [1, -2, 0, true, null, "é\n\"\\😀"], b: {} }, [], "", 0, false, { "__proto__x": 1 }]) {
      expect(read(JSON.stringify(value, null, 1))).toEqual(value)
    }
    expect(Object.keys(Object(read(`{"__proto__":1}`)))).toEqual(["__proto__"])
    expect(read(`"\\u00e9\\uD83D\\uDE00\\/"`)).toBe("é😀/")
  })

  it.each([
    [`{"a":1,"a":1}`, `duplicate-key, character 7: the key "a" stands there twice`],
    [`{"a":1, "\\u0061":2}`, `duplicate-key, character 8: the key "a" stands there twice`]
  ])("refuses a key that stands there twice: %s", (text, words) => {
    expect(refusal(text)).toBe(words)
  })

  it.each(["1.0", "1e3", "-0", "01", "9007199254740993", "-9007199254740993"])(
    "refuses %s, which readers take for different numbers",
    (text) => {
      expect(refusal(text)).toBe("number, character 0: it is not a whole number in its one form")
    }
  )

  it.each([
    [`1 2`, 2, "there is something after the document"],
    [`"a"b`, 3, "there is something after the document"],
    ["", 0, "no value can begin here"],
    ["nul", 0, "no value can begin here"],
    ["NaN", 0, "no value can begin here"],
    ["+1", 0, "no value can begin here"],
    [".5", 0, "no value can begin here"],
    ["'a'", 0, "no value can begin here"],
    ["[1,]", 3, "no value can begin here"],
    ["[ x", 2, "no value can begin here"],
    [`"a`, 0, "this text has no end, or holds what must be escaped"],
    [`"\n"`, 0, "this text has no end, or holds what must be escaped"],
    [`"\\x"`, 0, "this text has no end, or holds what must be escaped"],
    [`"\\u12"`, 0, "this text has no end, or holds what must be escaped"],
    [`"\\u12g4"`, 0, "this text has no end, or holds what must be escaped"],
    ["{", 1, "a key is missing"],
    ["{a:1}", 1, "a key is missing"],
    [`{"a":1, }`, 8, "a key is missing"],
    [`{"a"}`, 4, "a colon is missing"],
    [`{"a":1`, 6, "an object is not closed"],
    [`{"a":1 "b":2}`, 7, "an object is not closed"],
    ["[1", 2, "a list is not closed"],
    ["[1 2]", 3, "a list is not closed"],
    ["[1}", 2, "a list is not closed"]
  ])("says of %j that at %i %s", (text, at, detail) => {
    expect(refusal(text)).toBe(`syntax, character ${at}: ${detail}`)
  })

  it("refuses half of a character pair, which has no bytes of its own", () => {
    expect(refusal(`["\\ud800"]`)).toBe("text, character 1: half of a character pair stands alone")
    expect(refusal(`["\\ude00\\ud83d"]`)).toBe("text, character 1: half of a character pair stands alone")
  })

  it("reads sixteen levels, and refuses a seventeenth at its place", () => {
    for (const [open, close] of [["[", "]"], [`{"a":`, "}"]] as const) {
      expect(refusal(nested(16, open, close))).toBe("read")
      expect(refusal(nested(17, open, close))).toBe(
        `too-deep, character ${17 * open.length}: it is nested deeper than 16`
      )
    }
    expect(refusal("[".repeat(4000))).toContain("too-deep")
  })

  it("reads as many bytes as it may be long, and not one more", () => {
    expect(refusal(`"é"`, 4)).toBe("read")
    expect(refusal(`"é"`, 3)).toBe("too-long, character 0: it is longer than 3 bytes")
  })

  it("reads UTF-8 without a mark in front, and nothing else", () => {
    const of = (...some: ReadonlyArray<number>) =>
      Either.match(parseStrictJson(new Uint8Array(some), 10), {
        onLeft: ({ message }) => message,
        onRight: () => "read"
      })
    expect(of(0x22, 0xc3, 0xa9, 0x22)).toBe("read")
    expect(of(0x22, 0xff, 0x22)).toBe("character 0: it is not UTF-8")
    expect(of(0xef, 0xbb, 0xbf, 0x31)).toBe("character 0: no value can begin here")
  })

  it("counts what it looked at: each byte about once, also of a text that never ends", () => {
    const looked = (text: string) => {
      const work = new Work()
      parseStrictJson(bytes(text), 1e6, work)
      return work.bytes
    }
    for (const many of [1_000, 10_000]) {
      for (const text of [`"${"x".repeat(many)}"`, `"${"x".repeat(many)}`, `[${"0,".repeat(many)}0]`]) {
        expect(looked(text)).toBeGreaterThanOrEqual(text.length)
        expect(looked(text)).toBeLessThanOrEqual(5 * text.length + 10)
      }
    }
    expect(looked(`"${"x".repeat(100)}\n${"y".repeat(100)}"`)).toBeGreaterThan(200)
  })
})
