import { describe, it } from "@effect/vitest"
import * as DurableLog from "@felhom/durable/DurableLog"
import { encodeFrame, encodeFrames, longestPayload, magic, parseLog, zerosFrom } from "@felhom/durable/LogFormat"
import { Effect } from "effect"
import { expect } from "vitest"
import { makeModel } from "./ModelFileSystem.ts"
import { on, openWords, wordsOn } from "./WordsKeeper.ts"

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const path = "/state/ops.log"
const word = (letter: string, length: number) => encode(letter.repeat(length))

describe("records that come together", () => {
  for (
    const [lengths, writes] of [
      // Each has four bytes for its length in front of it, and a frame holds 1 MiB.
      [[DurableLog.longestRecord - 4, DurableLog.longestRecord - 4], 1],
      [[DurableLog.longestRecord - 4, DurableLog.longestRecord - 3], 2],
      [[DurableLog.longestRecord, DurableLog.longestRecord, DurableLog.longestRecord], 3],
      [[9, DurableLog.longestRecord, 9], 1]
    ] as const
  ) {
    it.effect(`of ${lengths.join(" and ")} bytes take ${writes} writes, and all are there`, () =>
      Effect.gen(function*() {
        const model = makeModel(new Map(), { history: false })
        const words = lengths.map((length, index) => "abc".charAt(index).repeat(length))
        yield* on(
          model,
          Effect.gen(function*() {
            const { log } = yield* openWords
            const before = model.steps()
            yield* Effect.forEach(words, (one) => log.append(encode(one)), { concurrency: "unbounded" })
            expect(model.steps() - before).toBe(writes)
            expect(yield* log.size).toBe(model.present().get(path)?.length)
          })
        )
        expect(yield* wordsOn(model.present())).toEqual(words)
      }))
  }
})

describe("a log", () => {
  it.effect.each([1, 512])(
    "knows how long its records are, with room made in steps of %i bytes",
    (room) =>
      Effect.gen(function*() {
        const model = makeModel(new Map(), { room })
        yield* on(
          model,
          Effect.gen(function*() {
            const { log } = yield* openWords
            const long = Effect.map(
              log.size,
              (size) => [size, zerosFrom(model.present().get(path) ?? new Uint8Array())]
            )
            const same = Effect.map(long, ([size, found]) => expect(size).toBe(found))
            yield* same
            yield* log.append(word("a", 100))
            yield* log.append(word("b", 50))
            yield* same
            yield* log.rewrite([word("b", 50)])
            yield* same
            yield* log.append(word("c", 7))
            yield* same
            expect((model.present().get(path)?.length ?? 0) % room).toBe(0)
          })
        )
        yield* on(
          model,
          Effect.flatMap(openWords, ({ log }) =>
            Effect.map(log.size, (size) => expect(size).toBe(model.present().get(path)?.length)))
        )
      })
  )

  it.effect("writes its id beside it once, and not at each start", () =>
    Effect.gen(function*() {
      const made: Array<string> = []
      const plant: Parameters<typeof makeModel>[1] = {
        plant: (files) => ({
          ...files,
          create: (name) => Effect.zipRight(Effect.sync(() => made.push(name)), files.create(name))
        })
      }
      const first = makeModel(new Map(), plant)
      yield* on(first, openWords)
      yield* on(makeModel(first.present(), plant), openWords)
      expect(made).toEqual([`${path}.new`, "/state/ops.init", `${path}.new`])
    }))

  it.effect("gives up what it set aside on a full disk alone, and says how much is free where that is too little", () =>
    Effect.gen(function*() {
      const roomy = makeModel()
      roomy.free = 1024 ** 3
      yield* on(roomy, openWords)
      const failing = makeModel(roomy.present())
      // Folder, both files read, and the new file made: its first write fails.
      failing.fault = { step: 4, code: "EIO", half: true }
      expect(yield* Effect.flip(on(failing, openWords))).toMatchObject({ reason: "io" })
      expect(failing.present().has("/state/reserve")).toBe(true)
      const nearlyFull = makeModel(roomy.present())
      yield* on(
        nearlyFull,
        Effect.gen(function*() {
          const { log } = yield* openWords
          nearlyFull.free = 5 * 1024 * 1024 + 1023
          expect(yield* Effect.flip(log.hasRoom)).toMatchObject({
            reason: "full",
            path,
            detail: "only 5120 KiB are free, less than the 16384 KiB that are kept"
          })
        })
      )
    }))
})

describe("a log's bytes", () => {
  const logOf = (...frames: ReadonlyArray<Uint8Array>) =>
    new Uint8Array([magic, ...frames].flatMap((part) => Array.from(part)))
  const records = (bytes: Uint8Array) => parseLog(bytes).records.map((record) => new TextDecoder().decode(record))

  it("have as few frames as hold the records, in their order", () => {
    const [a, b, c] = [word("a", longestPayload / 2 - 4), word("b", longestPayload / 2 - 4), word("c", 1)]
    const frames = [...encodeFrames([a, b, c])]
    expect(frames.map(({ length }) => length)).toEqual([8 + longestPayload, 8 + 4 + 1])
    expect([...encodeFrames([])]).toEqual([])
    // What fills a frame by itself has one of its own.
    const alone = [...encodeFrames([word("x", longestPayload - 4), c])]
    expect(alone.map(({ length }) => length)).toEqual([8 + longestPayload, 8 + 4 + 1])
  })

  it("are read to the first that can't be believed: each bit of a frame counts", () => {
    const first = encodeFrame([encode("one"), encode("two")])
    const last = encodeFrame([encode("three")])
    const whole = logOf(first, last)
    expect(parseLog(whole)).toMatchObject({ end: { _tag: "whole" } })
    expect(records(whole)).toEqual(["one", "two", "three"])
    for (let at = magic.length; at < whole.length; at++) {
      const changed = whole.with(at, (whole[at] ?? 0) ^ 0x10)
      const inLast = at >= magic.length + first.length
      expect(records(changed)).toEqual(inLast ? ["one", "two"] : [])
      expect(parseLog(changed).end).toEqual(
        inLast
          ? { _tag: "torn", offset: magic.length + first.length }
          : { _tag: "damaged", offset: magic.length, wholeAgainAt: magic.length + first.length }
      )
    }
    for (let length = magic.length + 1; length < whole.length; length++) {
      const { end } = parseLog(whole.subarray(0, length))
      const complete = length >= magic.length + first.length
      expect(end).toEqual(
        length === magic.length + first.length
          ? { _tag: "whole" }
          : { _tag: "torn", offset: magic.length + (complete ? first.length : 0) }
      )
    }
    expect(parseLog(magic)).toEqual({ records: [], end: { _tag: "whole" } })
    for (const foreign of [new Uint8Array(), magic.subarray(1), magic.with(3, 0), encode("{}")]) {
      expect(parseLog(foreign)).toEqual({ records: [], end: { _tag: "foreign" } })
    }
  })

  it("may have zeros behind them, which are room for more and nothing else", () => {
    const zeros = new Uint8Array(64)
    const one = encodeFrame([encode("one")])
    const endsWithZeros = encodeFrame([new Uint8Array([1, 0, 0])])
    for (const frames of [[], [one], [endsWithZeros], [one, endsWithZeros]]) {
      const { end, records } = parseLog(logOf(...frames, zeros))
      expect(end).toEqual({ _tag: "whole" })
      expect(records).toEqual(parseLog(logOf(...frames)).records)
      expect(records).toHaveLength(frames.length)
    }
    const offset = magic.length + one.length
    expect(parseLog(logOf(one, one.subarray(0, -1), zeros)).end).toEqual({ _tag: "torn", offset })
    expect(parseLog(logOf(one, zeros, one)).end).toEqual({ _tag: "damaged", offset, wholeAgainAt: offset + 64 })
    expect(zerosFrom(logOf(one, zeros))).toBe(offset)
    expect(zerosFrom(zeros)).toBe(0)
  })

  it("of no record and of a frame that is longer than any are no frame", () => {
    expect(parseLog(logOf(encodeFrame([]))).end).toEqual({ _tag: "torn", offset: magic.length })
    expect(parseLog(logOf(encodeFrame([new Uint8Array()]))).end).toEqual({ _tag: "torn", offset: magic.length })
    const longest = encodeFrame([word("a", longestPayload - 4)])
    expect(records(new Uint8Array(Buffer.concat([magic, longest])))).toHaveLength(1)
    const tooLong = encodeFrame([word("a", longestPayload - 3)])
    expect(records(new Uint8Array(Buffer.concat([magic, tooLong])))).toEqual([])
  })
})
