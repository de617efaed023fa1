import { describe, it } from "@effect/vitest"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Effect, Layer, Option, Schema } from "effect"
import { expect } from "vitest"

const path = "/state/count.json"
const Count = Schema.Struct({
  typ: Schema.Literal("felhom/count/v1"),
  count: Schema.Int,
  of: Schema.optional(Schema.Struct({ what: Schema.String }))
})

/** A disk that can be filled up, and a document on it that holds a number which is never 13. */
const makeDisk = () => {
  const files = new Map<string, Uint8Array>()
  let full = false
  const live = Layer.succeed(DurableFile, {
    read: (name) => Effect.sync(() => Option.fromNullable(files.get(name))),
    replace: (name, content) =>
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.suspend(() =>
          full
            ? new DurableFileError({ operation: "replace", path: name, code: "ENOSPC", detail: "no space left" })
            : Effect.sync(() => void files.set(name, content))
        )
      )
  })
  return {
    open: Effect.provide(
      makeKeptDocument({
        path,
        schema: Count,
        understand: ({ count }) => count === 13 ? Effect.fail("it holds 13") : Effect.void
      }),
      live
    ),
    text: () => new TextDecoder().decode(files.get(path)),
    put: (text: string) => void files.set(path, new TextEncoder().encode(text)),
    fill: (isFull: boolean) => void (full = isFull)
  }
}

type Kept = Effect.Effect.Success<ReturnType<typeof makeDisk>["open"]>

const countOf = (kept: Kept) => Effect.map(kept.current, Option.map(({ count }) => count))

const oneMore = (kept: Kept) =>
  kept.change((before) =>
    Effect.succeed({
      typ: "felhom/count/v1" as const,
      count: Option.match(before, { onNone: () => 1, onSome: ({ count }) => count + 1 })
    })
  )

describe("a kept document", () => {
  it.effect("begins with none, and is there after a restart", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const first = yield* disk.open
      expect(yield* countOf(first)).toEqual(Option.none())
      yield* oneMore(first)
      expect(yield* countOf(yield* disk.open)).toEqual(Option.some(1))
    }))

  it.effect("is changed by one after the other, each of whom sees what the one before made; also by whoever looks meanwhile", () =>
    Effect.gen(function*() {
      const kept = yield* makeDisk().open
      yield* Effect.all(Array.from({ length: 20 }, () => oneMore(kept)), { concurrency: "unbounded" })
      expect(yield* countOf(kept)).toEqual(Option.some(20))
      yield* kept.change((before) =>
        Effect.map(kept.current, (now) => {
          expect(now).toEqual(before)
          return { typ: "felhom/count/v1" as const, count: 0 }
        })
      )
    }))

  it.effect("stays what it was when it can't be written, or when there is a reason not to", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const kept = yield* disk.open
      yield* oneMore(kept)
      disk.fill(true)
      expect((yield* Effect.flip(oneMore(kept))).message).toMatch(/^cannot replace .*ENOSPC/)
      expect(yield* Effect.flip(kept.change(() => Effect.fail("no")))).toBe("no")
      expect(yield* countOf(kept)).toEqual(Option.some(1))
      disk.fill(false)
      yield* oneMore(kept)
      expect(disk.text()).toContain("2")
    }))

  it.effect("says what is wrong with its file, where in it, and what to do", () =>
    Effect.gen(function*() {
      const of = (text: string) => {
        const disk = makeDisk()
        disk.put(text)
        return Effect.flatMap(disk.open, (kept) => Effect.flip(kept.current))
      }
      const told = (text: string) => Effect.map(of(text), ({ detail }) => detail)
      expect(yield* told("[]")).toMatch(/^Expected \{ readonly typ/)
      expect(yield* told(`{"typ":"felhom/count/v1","count":1,"of":{"what":2}}`)).toBe(
        "of.what: Expected string, actual 2; of: Expected undefined, actual {\"what\":2}"
      )
      expect(yield* told(`{"typ":"felhom/count/v1","count":1,"more":2}`)).toMatch(/^more: is unexpected/)
      const longest = 300
      expect(yield* told(`{"typ":"${"x".repeat(1000)}","count":1}`)).toHaveLength(longest)
      const { message } = yield* of(`{"typ":"felhom/count/v1","count":13}`)
      expect(message).toBe(
        `${path}: it holds 13; was it written by a newer felhom-agent? Keep a copy and restore it. Without it the host ` +
          "begins anew from root's own files: stop the agent, move it away, start the agent"
      )
    }))

  it.effect("that can't be read fails everybody, is never overwritten, and holds again once it is mended", () =>
    Effect.gen(function*() {
      for (
        const bad of [
          "",
          "{}",
          "no json",
          `{"typ":"felhom/count/v2","count":1}`,
          `{"typ":"felhom/count/v1","count":13}`
        ]
      ) {
        const disk = makeDisk()
        disk.put(bad)
        const kept = yield* disk.open
        const error = yield* Effect.flip(kept.current)
        expect(error.reason).toBe("unreadable")
        expect(error.message).toContain(path)
        expect(yield* Effect.flip(oneMore(kept))).toEqual(error)
        expect(disk.text()).toBe(bad)
        disk.put(`{"typ":"felhom/count/v1","count":7}`)
        expect(yield* countOf(kept)).toEqual(Option.some(7))
      }
    }))
})
