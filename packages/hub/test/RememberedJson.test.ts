import { rememberedJson } from "@felhom/hub/RememberedJson"
import { Either, Schema } from "effect"
import { describe, expect, it } from "vitest"

describe("a column of JSON that seldom changes", () => {
  const column = rememberedJson(Schema.Struct({ at: Schema.DateFromString }))
  const read = Schema.decodeUnknownEither(column)

  it("is decoded once for each text, and anew when it says another thing", () => {
    const first = Either.getOrThrow(read(`{"at":"2026-01-01T00:00:00.000Z"}`))
    expect(first.at.getUTCFullYear()).toBe(2026)
    expect(Either.getOrThrow(read(`{"at":"2026-01-01T00:00:00.000Z"}`))).toBe(first)
    expect(Either.getOrThrow(read(`{"at":"2025-01-01T00:00:00.000Z"}`)).at.getUTCFullYear()).toBe(2025)
  })

  it("says each time that it does not read", () => {
    for (const text of ["{}", "{}", "{", null, 7]) expect(Either.isLeft(read(text))).toBe(true)
  })

  it("is written as any other", () => {
    expect(Schema.encodeSync(column)({ at: new Date(0) })).toBe(`{"at":"1970-01-01T00:00:00.000Z"}`)
  })
})
