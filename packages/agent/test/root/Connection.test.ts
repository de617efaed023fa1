import { describe, it } from "@effect/vitest"
import { readLine, writeLine } from "@felhom/agent/root/Connection"
import { lineLimitBytes } from "@felhom/privileged/RootExchange"
import { Effect, Fiber } from "effect"
import { PassThrough } from "node:stream"
import { expect } from "vitest"

const read = (chunks: ReadonlyArray<string | Buffer>, ends: boolean, limitMillis = 60_000) =>
  Effect.gen(function*() {
    const input = new PassThrough()
    const reading = yield* Effect.fork(readLine(input, limitMillis))
    yield* Effect.yieldNow()
    for (const chunk of chunks) input.write(chunk)
    if (ends) input.end()
    return yield* Fiber.join(reading)
  })

describe("the one line that a root helper reads", () => {
  it.live("comes in however many pieces, up to 8 KiB", () =>
    Effect.gen(function*() {
      expect(yield* read([`{"a`, `":"`, `é"}\n`], false)).toBe(`{"a":"é"}`)
      expect(yield* read([Buffer.from([0xc3]), Buffer.from([0xa9, 0x0a])], true)).toBe("é")
      expect(yield* read(["\n"], true)).toBe("")
      expect(yield* read([`${"a".repeat(lineLimitBytes)}\n`], false)).toHaveLength(lineLimitBytes)
    }))

  it.live("is none when it is too long, half, not text, or followed by more", () =>
    Effect.gen(function*() {
      const tooLong = "longer than the 8192 bytes"
      expect(yield* Effect.flip(read([`${"a".repeat(lineLimitBytes + 1)}\n`], false))).toContain(tooLong)
      expect(yield* Effect.flip(read(["a".repeat(5000), "a".repeat(5000)], false))).toContain(tooLong)
      expect(yield* Effect.flip(read(["{}"], true))).toContain("before a whole line")
      expect(yield* Effect.flip(read([], true))).toContain("before a whole line")
      expect(yield* Effect.flip(read([Buffer.from([0xff, 0x0a])], false))).toBe("the request is not UTF-8")
      expect(yield* Effect.flip(read(["{}\n{}\n"], false))).toBe("the request is more than one line")
    }))

  it.live("is not waited for without end", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(read(["{"], false, 5))).toBe("no whole line came within 5 ms")
    }))

  it.live("that can't be read says so", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const reading = yield* Effect.fork(Effect.flip(readLine(input, 60_000)))
      yield* Effect.yieldNow()
      input.destroy(new Error("ECONNRESET"))
      expect(yield* Fiber.join(reading)).toBe("the request could not be read: ECONNRESET")
    }))
})

describe("the one line that a root helper answers", () => {
  it.live("is written whole, and nobody minds that the asker is gone", () =>
    Effect.gen(function*() {
      const output = new PassThrough()
      yield* writeLine(output, "{}")
      expect(String(output.read())).toBe("{}\n")
      const gone = new PassThrough()
      gone.destroy()
      yield* writeLine(gone, "{}")
    }))
})
