import { describe, it } from "@effect/vitest"
import * as DurableLog from "@felhom/durable/DurableLog"
import { Effect, Exit, FastCheck, Layer, Scope } from "effect"
import { expect } from "vitest"
import { crashStates, type Disk, formatDisk, makeModel, type Model, type Omission } from "./ModelFileSystem.ts"
import { testCrypto } from "./TestCrypto.ts"

const text = { decode: new TextDecoder(), encode: new TextEncoder() }
const path = "/state/ops.log"

/** A log of words that keeps all of them. */
const openWords = DurableLog.open({
  directory: "/state/",
  name: "ops",
  load: (records) => Effect.succeed(records.map((record) => text.decode.decode(record))),
  keep: (words) => words.map((word) => text.encode.encode(word))
})

const on = <A, E>(
  model: Model,
  use: Effect.Effect<
    A,
    E,
    Layer.Layer.Success<typeof model.layer> | Layer.Layer.Success<typeof testCrypto> | Scope.Scope
  >
) => Effect.scoped(use).pipe(Effect.provide(Layer.merge(model.layer, testCrypto)))

const wordsOn = (disk: Disk) => on(makeModel(disk), Effect.map(openWords, ({ loaded }) => loaded))

/** What a program does with its log. */
type Step =
  | { readonly _tag: "append"; readonly words: ReadonlyArray<string> }
  | { readonly _tag: "rewrite" }
  | { readonly _tag: "restart" }

/** Who was promised what: from this moment on the word must be there. */
interface Promised {
  readonly moment: number
  readonly word: string
}

/** Runs the steps; tells which words were promised when. What a start has read counts as promised too. */
const play = (model: Model, steps: ReadonlyArray<Step>) =>
  on(
    model,
    Effect.gen(function*() {
      const promised: Array<Promised> = []
      const promise = (word: string) => promised.push({ moment: model.moments.length - 1, word })
      let scope = yield* Scope.make()
      let { loaded, log } = yield* Scope.extend(openWords, scope)
      loaded.forEach(promise)
      let all = [...loaded]
      for (const step of steps) {
        switch (step._tag) {
          case "append":
            yield* Effect.forEach(
              step.words,
              (word) =>
                Effect.map(log.append(text.encode.encode(word)), () => {
                  promise(word)
                  all.push(word)
                }),
              { concurrency: "unbounded", discard: true }
            )
            break
          case "rewrite":
            yield* log.rewrite(all.map((word) => text.encode.encode(word)))
            break
          case "restart":
            yield* Scope.close(scope, Exit.void)
            scope = yield* Scope.make()
            ;({ loaded, log } = yield* Scope.extend(openWords, scope))
            all = [...loaded]
        }
      }
      yield* Scope.close(scope, Exit.void)
      return promised
    })
  )

interface Tally {
  states: number
  lost: number
  refused: number
  /** What a start finds on a disk, null where it refuses; many moments leave the same disks. */
  readonly starts: Map<string, ReadonlyArray<string> | null>
}

/** Cuts the power after every step, in every way that leaves another disk, and looks what is left. */
const cutEverywhere = (
  model: Model,
  promised: ReadonlyArray<Promised>,
  tally: Tally,
  onSurvivor: (disk: Disk) => Effect.Effect<void> = () => Effect.void
) =>
  Effect.gen(function*() {
    for (const [moment, state] of model.moments.entries()) {
      // The test's runner must be heard from in between.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 0)))
      const due = promised.filter((promise) => promise.moment <= moment).map(({ word }) => word)
      const seen = new Set<string>()
      for (const disk of crashStates(state)) {
        const shown = formatDisk(disk)
        if (seen.has(shown)) continue
        seen.add(shown)
        tally.states += 1
        const known = tally.starts.get(shown)
        const found = known === undefined ? yield* Effect.orElseSucceed(wordsOn(disk), () => null) : known
        tally.starts.set(shown, found)
        if (found === null) {
          tally.refused += 1
          continue
        }
        if (due.some((word) => !found.includes(word))) tally.lost += 1
        yield* onSurvivor(disk)
      }
    }
  })

const script: ReadonlyArray<Step> = [
  { _tag: "append", words: ["one"] },
  { _tag: "append", words: ["two", "three, which is a longer word", "four"] },
  { _tag: "rewrite" },
  { _tag: "append", words: ["five"] },
  { _tag: "restart" },
  { _tag: "append", words: ["six", "seven"] }
]

/** From how many of the disks that a first power cut left the second one is tried. */
const secondCuts = 1

const freshTally = (): Tally => ({ states: 0, lost: 0, refused: 0, starts: new Map() })

/** The script, cut everywhere; and from whatever that left, a start and one more word, cut everywhere again. */
const campaign = (omitted?: Omission) =>
  Effect.gen(function*() {
    const tally = freshTally()
    const survivors = new Map<string, Disk>()
    const model = makeModel(new Map(), omitted)
    const promised = yield* play(model, script)
    yield* cutEverywhere(model, promised, tally, (disk) => Effect.sync(() => survivors.set(formatDisk(disk), disk)))
    // Each is as good as any other; all of them would be half a million disks.
    const all = [...survivors.values()]
    // What a sync is for shows at the first cut.
    const sample = omitted !== undefined
      ? []
      : all.filter((_, index) => index % Math.ceil(all.length / secondCuts) === 0)
    for (const disk of sample) {
      const again = makeModel(disk, omitted)
      const kept = yield* play(again, [{ _tag: "append", words: ["after the cut"] }])
      yield* cutEverywhere(again, kept, tally)
    }
    return tally
  })

const word = FastCheck.string({ minLength: 1, maxLength: 40 })
const anyScript = FastCheck.array(
  FastCheck.oneof(
    FastCheck.record({
      _tag: FastCheck.constant("append" as const),
      words: FastCheck.array(word, { minLength: 1, maxLength: 4 })
    }),
    FastCheck.record({ _tag: FastCheck.constant("rewrite" as const) }),
    FastCheck.record({ _tag: FastCheck.constant("restart" as const) })
  ),
  { minLength: 1, maxLength: 4 }
)

describe("a durable log", () => {
  it.effect(
    "loses nothing that it answered for, and refuses nothing, wherever the power is cut and cut again",
    () =>
      Effect.gen(function*() {
        const tally = yield* campaign()
        expect(tally).toMatchObject({ lost: 0, refused: 0 })
        // A search that no longer finds states would find no loss either.
        expect(tally.states).toBeGreaterThan(300)
      }),
    300_000
  )

  for (const omitted of ["append sync", "rewrite sync", "folder sync"] as const) {
    it.effect(`would lose without the ${omitted}`, () =>
      Effect.gen(function*() {
        const { lost, refused } = yield* campaign(omitted)
        expect(lost + refused).toBeGreaterThan(100)
      }), 300_000)
  }

  it.effect.prop(
    "keeps its promises in any order of appends, rewrites and restarts",
    [anyScript],
    ([steps]) =>
      Effect.gen(function*() {
        const tally = freshTally()
        const model = makeModel()
        const promised = yield* play(model, steps)
        yield* cutEverywhere(model, promised, tally)
        expect(tally).toMatchObject({ lost: 0, refused: 0 })
      }),
    { fastCheck: { numRuns: 3 } }
  )

  it.effect("writes what comes together under one sync", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* on(
        model,
        Effect.gen(function*() {
          const { log } = yield* openWords
          const before = model.steps()
          yield* Effect.forEach(Array.from({ length: 64 }, (_, n) => `word ${n}`), (word) =>
            log.append(text.encode.encode(word)), { concurrency: "unbounded" })
          expect(model.steps() - before).toBe(2)
        })
      )
      expect(yield* wordsOn(model.present())).toHaveLength(64)
    }))

  it.effect("names damage in the middle and begins nothing on it", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* play(model, [{ _tag: "append", words: ["one"] }, { _tag: "append", words: ["two"] }, {
        _tag: "append",
        words: ["three"]
      }])
      const whole = model.present()
      const bytes = whole.get(path)?.slice() ?? new Uint8Array()
      bytes[bytes.length - 20]! ^= 1
      const damaged = new Map(whole).set(path, bytes)
      const after = makeModel(damaged)
      const refusal = yield* Effect.flip(on(after, openWords))
      expect(refusal).toMatchObject({ _tag: "DurableLogError", reason: "damaged", path })
      expect(refusal.message).toContain("keep a copy")
      expect(after.present()).toEqual(damaged)
    }))

  for (
    const [name, change] of [
      ["that is gone", (disk: Disk) => new Map([...disk].filter(([name]) => name !== path))],
      ["whose beginning is gone", (disk: Disk) => {
        const bytes = disk.get(path) ?? new Uint8Array()
        const view = new DataView(bytes.buffer, bytes.byteOffset)
        const first = 16 + 8 + view.getUint32(16, true)
        return new Map(disk).set(path, Uint8Array.from([...bytes.subarray(0, 16), ...bytes.subarray(first)]))
      }]
    ] as const
  ) {
    it.effect(`does not take a file ${name} for one that never was`, () =>
      Effect.gen(function*() {
        const model = makeModel()
        yield* play(model, [{ _tag: "append", words: ["one"] }])
        expect(yield* Effect.flip(wordsOn(change(model.present())))).toMatchObject({ reason: "lost" })
      }))
  }

  it.effect("refuses an empty file, one of another program and one of another log", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* play(model, [])
      const own = model.present().get(path) ?? new Uint8Array()
      const at = (bytes: Uint8Array) =>
        Effect.map(Effect.flip(wordsOn(new Map([[path, bytes]]))), ({ reason }) => reason)
      expect(yield* at(new Uint8Array())).toBe("damaged")
      expect(yield* at(text.encode.encode("{\"typ\":\"felhom/state/v1\"}"))).toBe("damaged")
      const other = DurableLog.open({ directory: "/state", name: "other", load: () => Effect.void, keep: () => [] })
      const refusal = yield* Effect.flip(on(makeModel(new Map([["/state/other.log", own]])), other))
      expect(refusal.reason).toBe("lost")
    }))

  for (const code of ["EIO", "ENOSPC"] as const) {
    it.effect(`takes nothing more after ${code} at any step, says why, and has all that it promised after a restart`, () =>
      Effect.gen(function*() {
        const counting = makeModel()
        yield* play(counting, script)
        let poisonings = 0
        for (let step = 0; step < counting.steps(); step++) {
          for (const half of [false, true]) {
            const model = makeModel()
            model.fault = { step, code, half }
            const promised: Array<string> = []
            yield* on(
              model,
              Effect.gen(function*() {
                const opened = yield* Effect.either(openWords)
                if (opened._tag === "Left") {
                  expect(opened.left).toMatchObject({ _tag: "DurableLogError", reason: "io", path })
                  expect(opened.left.message).toContain(code)
                  return
                }
                const { log } = opened.right
                for (const word of ["a", "b", "c"]) {
                  const written = yield* Effect.either(log.append(text.encode.encode(word)))
                  if (written._tag === "Right") {
                    promised.push(word)
                    continue
                  }
                  expect(written.left).toMatchObject({ _tag: "DurableLogError", reason: "io" })
                  poisonings += 1
                  model.fault = undefined
                  const next = yield* Effect.flip(log.append(text.encode.encode("never")))
                  expect(next).toMatchObject({ reason: "poisoned" })
                  expect(yield* Effect.flip(log.rewrite([]))).toMatchObject({ reason: "poisoned" })
                  expect(next.message).toContain("restart felhom-agent")
                  break
                }
              })
            )
            for (const disk of crashStates(model.moments.at(-1)!)) {
              const found = yield* wordsOn(disk)
              for (const word of promised) expect(found).toContain(word)
              expect(found).not.toContain("never")
            }
          }
        }
        expect(poisonings).toBeGreaterThan(5)
      }))
  }

  it.effect("is poisoned by a rewrite that fails, and keeps what was there", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* on(
        model,
        Effect.gen(function*() {
          const { log } = yield* openWords
          yield* log.append(text.encode.encode("kept"))
          model.fault = { step: model.steps() + 2, code: "EIO", half: true }
          expect(yield* Effect.flip(log.rewrite([text.encode.encode("other")]))).toMatchObject({ reason: "io" })
          expect(yield* Effect.flip(log.append(text.encode.encode("x")))).toMatchObject({ reason: "poisoned" })
        })
      )
      expect(yield* wordsOn(model.present())).toEqual(["kept"])
    }))

  it.effect("sets space aside while there is plenty, and gives it up to start on a full disk", () =>
    Effect.gen(function*() {
      const model = makeModel()
      model.free = 1024 ** 3
      yield* on(model, openWords)
      const disk = model.present()
      expect(disk.get("/state/reserve")?.length).toBe(4 * 1024 * 1024)
      const full = makeModel(disk)
      full.free = 0
      // Folder, both files read, and the new file made: its first write finds no room.
      full.fault = { step: 4, code: "ENOSPC", half: true }
      yield* on(
        full,
        Effect.gen(function*() {
          const { log } = yield* openWords
          yield* log.append(text.encode.encode("the end of something"))
          expect(yield* Effect.flip(log.hasRoom)).toMatchObject({ reason: "full" })
        })
      )
      expect(full.present().has("/state/reserve")).toBe(false)
      expect(yield* wordsOn(full.present())).toEqual(["the end of something"])
    }))

  it.effect("has no room for anything new below 16 MiB, and has at 16 MiB", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* on(
        model,
        Effect.gen(function*() {
          const { log } = yield* openWords
          model.free = 16 * 1024 * 1024
          yield* log.hasRoom
          model.free -= 1
          expect((yield* Effect.flip(log.hasRoom)).message).toContain("space")
        })
      )
    }))
})
