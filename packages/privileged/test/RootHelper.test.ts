import { describe, it } from "@effect/vitest"
import { PrivilegedError } from "@felhom/privileged/Privileged"
import { lineLimitBytes, mountExchange, pctCreateExchange, smartExchange } from "@felhom/privileged/RootExchange"
import { answerTo } from "@felhom/privileged/RootHelper"
import { Effect, Logger } from "effect"
import { expect } from "vitest"
import { badRequests } from "./BadRequests.ts"

const untouched = () => Effect.dieMessage("something was done for a bad request")

const helpers = {
  smart: answerTo(smartExchange, untouched),
  mount: answerTo(mountExchange, untouched),
  "pct-create": answerTo(pctCreateExchange, untouched)
}

describe("a root helper", () => {
  it.effect("refuses 200 bad requests made by hand, each in one line, and does nothing for any", () =>
    Effect.gen(function*() {
      expect(badRequests.length).toBeGreaterThanOrEqual(200)
      for (const { line, verb } of badRequests) {
        const reply: unknown = JSON.parse(yield* helpers[verb](Effect.succeed(line)))
        expect(reply, `${verb} ${line}`).toMatchObject({ ok: false, error: { reason: "invalid" } })
      }
    }))

  it.effect("hands on why no line came", () =>
    Effect.gen(function*() {
      expect(yield* helpers.smart(Effect.fail("the request is not UTF-8"))).toBe(
        `{"ok":false,"error":{"verb":"smart","reason":"invalid","detail":"the request is not UTF-8","_tag":"PrivilegedError"}}`
      )
    }))

  it.effect("gives what was done, or why it was not", () =>
    Effect.gen(function*() {
      const sensors = Effect.succeed(`{"action":"sensors"}`)
      const done = answerTo(smartExchange, () => Effect.succeed({ action: "sensors" as const, temperatures: [] }))
      expect(yield* done(sensors)).toBe(`{"ok":true,"result":{"action":"sensors","temperatures":[]}}`)
      const not = answerTo(
        smartExchange,
        () => new PrivilegedError({ verb: "smart", reason: "unavailable", detail: "no\nsensors" })
      )
      expect(yield* not(sensors)).toContain(`"reason":"unavailable","detail":"no\\nsensors"`)
    }))

  it.effect("sends no answer that is longer than a line holds", () =>
    Effect.gen(function*() {
      const long = answerTo(smartExchange, () =>
        Effect.succeed({
          action: "sensors" as const,
          temperatures: Array.from({ length: 200 }, () => ({ sensor: "é".repeat(30), celsius: 1 }))
        }))
      const reply = yield* long(Effect.succeed(`{"action":"sensors"}`))
      expect(new TextEncoder().encode(reply).length).toBeLessThan(lineLimitBytes)
      expect(reply).toContain("a line holds 8192")
    }))

  it.effect("answers even when it fails itself", () =>
    Effect.gen(function*() {
      const reply: unknown = JSON.parse(yield* helpers.smart(Effect.succeed(`{"action":"sensors"}`)))
      expect(reply).toMatchObject({
        ok: false,
        error: { reason: "failed", detail: expect.stringContaining("the helper itself failed") }
      })
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))))
})
