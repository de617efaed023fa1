import { it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { describe, expect } from "vitest"
import { callFor } from "./RecordedCalls.ts"
import { answers } from "./Recordings.ts"
import { scripted } from "./ScriptedApi.ts"

const WithUnreadable = Schema.Struct({ unreadable: Schema.Array(Schema.Unknown) })

describe("each recorded answer is understood", () => {
  const asked = answers.flatMap((recording) => {
    const call = callFor(recording)
    return call === undefined ? [] : [{ name: recording.name, recording, call }]
  })

  it.effect.each(asked)("$name", ({ call, recording }) => {
    const api = scripted(() => Effect.succeed(new Response(recording.body, { status: recording.status })))
    return Effect.gen(function*() {
      const result = yield* call
      const unreadable = Option.map(Schema.decodeUnknownOption(WithUnreadable)(result), (listing) => listing.unreadable)
      expect(Option.getOrElse(unreadable, () => [])).toEqual([])
      expect(api.sent.map((sent) => sent.method)).toEqual([recording.method])
      const recorded = new URL(recording.path, "https://demo.example").pathname.replace(/\/$/, "")
      expect(decodeURIComponent(api.sent[0]?.path.replace(/\?.*/, "") ?? "")).toBe(decodeURIComponent(recorded))
    }).pipe(Effect.provide(api.layer))
  })

  it("and none of them is for a call that this client does not make", () => {
    const others = answers.filter((recording) => callFor(recording) === undefined).map((recording) => recording.name)
    expect(others).toEqual([])
  })
})
