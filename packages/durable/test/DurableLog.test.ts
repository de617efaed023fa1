import { describe, it } from "@effect/vitest"
import * as DurableLog from "@felhom/durable/DurableLog"
import { Cause, Deferred, Effect, Exit, Fiber, Logger, Option } from "effect"
import { deflateRawSync } from "node:zlib"
import { expect } from "vitest"
import { heldUpAfter } from "./HeldUp.ts"
import { crashStates, type Disk, makeModel } from "./ModelFileSystem.ts"
import { on, openWords, openWordsTelling, play, type Step, wordsOn } from "./WordsKeeper.ts"

const text = { decode: new TextDecoder(), encode: new TextEncoder() }
const path = "/state/ops.log"

const script: ReadonlyArray<Step> = [
  { _tag: "append", words: ["one"] },
  { _tag: "append", words: ["two", "three, which is a longer word", "four"] },
  { _tag: "rewrite" },
  { _tag: "append", words: ["five"] },
  { _tag: "restart" },
  { _tag: "append", words: ["six", "seven"] }
]

describe("a durable log", () => {
  it.effect("writes what comes together at once, and durably", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* on(
        model,
        Effect.gen(function*() {
          const { log } = yield* openWords
          const before = model.steps()
          yield* Effect.forEach(Array.from({ length: 64 }, (_, n) => `word ${n}`), (word) =>
            log.append(text.encode.encode(word)), { concurrency: "unbounded" })
          expect(model.steps() - before).toBe(1)
        })
      )
      expect(yield* wordsOn(model.present())).toHaveLength(64)
    }))

  it.effect("answers those, too, who are held up between bringing a record and waiting for it", () =>
    on(
      makeModel(),
      Effect.gen(function*() {
        const { log } = yield* openWords
        const append = (word: string) => log.append(text.encode.encode(word))
        const stuck: Array<number> = []
        for (let steps = 1; steps < 24; steps++) {
          const first = yield* Effect.fork(append("one"))
          // Nobody can interrupt it, so that a test would wait for ever with it.
          const second = yield* Effect.forkDaemon(heldUpAfter(steps, append("two")))
          yield* Effect.repeatN(Effect.yieldNow(), 100)
          expect(Option.isSome(yield* Fiber.poll(first))).toBe(true)
          if (Option.isNone(yield* Fiber.poll(second))) stuck.push(steps)
        }
        expect(stuck).toEqual([])
      })
    ))

  it.effect("tells of a write that a crash cut off, where and how much, and drops it; and of none where none was", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* play(model, [{ _tag: "append", words: ["one"] }, { _tag: "append", words: ["two"] }])
      const bytes = model.present().get(path) ?? new Uint8Array()
      const frame = 8 + 4 + "two".length
      const withRoom = (bytes: Uint8Array) => Uint8Array.from([...bytes, ...new Uint8Array(100)])
      const told: Array<unknown> = []
      const logger = Logger.make(({ annotations, message }) => told.push([message, Object.fromEntries(annotations)]))
      const openedOn = (bytes: Uint8Array) =>
        Effect.provide(
          wordsOn(new Map(model.present()).set(path, bytes)),
          Logger.replace(Logger.defaultLogger, logger)
        )
      for (const whole of [bytes, withRoom(bytes)]) expect(yield* openedOn(whole)).toEqual(["one", "two"])
      expect(told).toEqual([])
      const cut = bytes.subarray(0, -1)
      for (const torn of [cut, withRoom(cut)]) expect(yield* openedOn(torn)).toEqual(["one"])
      const said = [
        ["the last write to a log was cut off by a crash, before it was answered; it is dropped"],
        { path, offset: bytes.length - frame, bytes: frame - 1 }
      ]
      expect(told).toEqual([said, said])
    }))

  it.effect("writes its id beside it, so that a log that vanished is missed", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const { log } = yield* on(model, openWords)
      expect(text.decode.decode(model.present().get("/state/ops.init"))).toBe(`${log.id}\n`)
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
      const broken: Array<unknown> = []
      const refusal = yield* Effect.flip(on(after, openWordsTelling((error) => broken.push(error))))
      // To open it anew would not help.
      expect(broken).toEqual([])
      expect(refusal).toMatchObject({ _tag: "DurableLogError", reason: "damaged", path })
      expect(refusal.message).toContain("keep a copy")
      expect(refusal.detail).toMatch(/^bytes [0-9]+ to [0-9]+ are damaged, with whole records after them$/)
      expect(after.present()).toEqual(damaged)
    }))

  for (
    const [name, detail, change] of [
      [
        "that is gone",
        "the file was there and is gone",
        (disk: Disk) => new Map([...disk].filter(([name]) => name !== path))
      ],
      ["whose beginning is gone", "its first record is gone", (disk: Disk) => {
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
        expect(yield* Effect.flip(wordsOn(change(model.present())))).toMatchObject({ reason: "lost", path, detail })
      }))
  }

  it.effect("refuses an empty file, one of another program and one of another log", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* play(model, [])
      const own = model.present().get(path) ?? new Uint8Array()
      const at = (bytes: Uint8Array) =>
        Effect.map(Effect.flip(wordsOn(new Map([[path, bytes]]))), ({ detail, reason }) => `${reason}: ${detail}`)
      expect(yield* at(new Uint8Array())).toBe("damaged: the file is empty")
      expect(yield* at(text.encode.encode("{\"typ\":\"felhom/state/v1\"}"))).toBe(
        "damaged: it does not begin as a log does"
      )
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
            const broken: Array<string> = []
            yield* on(
              model,
              Effect.gen(function*() {
                const opened = yield* Effect.either(openWordsTelling(({ reason }) => broken.push(reason)))
                if (opened._tag === "Left") {
                  expect(broken).toEqual(["io"])
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
                  expect(next).toMatchObject({
                    reason: "poisoned",
                    detail: expect.stringMatching(/^after an error, cannot /)
                  })
                  expect(yield* Effect.flip(log.rewrite([]))).toMatchObject({ reason: "poisoned" })
                  expect(broken).toEqual(["io"])
                  expect(next.message).toContain("until it is opened anew")
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

  it.effect("tells those who wait for a write that fails that nothing of theirs is written", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let slow = false
      const model = makeModel(new Map(), {
        plant: (files) => ({
          ...files,
          create: (path) =>
            Effect.map(files.create(path), (file) => ({
              ...file,
              appendDurably: (bytes) =>
                Effect.suspend(() =>
                  slow ? Effect.zipRight(Deferred.await(gate), file.appendDurably(bytes)) : file.appendDurably(bytes)
                )
            }))
        })
      })
      yield* on(
        model,
        Effect.gen(function*() {
          const { log } = yield* openWords
          slow = true
          const write = (word: string) => Effect.fork(Effect.flip(log.append(text.encode.encode(word))))
          const settled = Effect.repeatN(Effect.yieldNow(), 20)
          const first = yield* write("first")
          yield* settled
          const others = yield* Effect.forEach(["second", "third"], write)
          yield* settled
          model.fault = { step: model.steps(), code: "EIO", half: false }
          yield* Deferred.succeed(gate, undefined)
          expect(yield* Fiber.join(first)).toMatchObject({ reason: "io" })
          for (const other of others) expect(yield* Fiber.join(other)).toMatchObject({ reason: "poisoned" })
        })
      )
      expect(yield* wordsOn(model.present())).toEqual(["first"])
    }))

  it.effect("takes no record that is empty or longer than half a frame: that is the program's own fault", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* on(
        model,
        Effect.gen(function*() {
          const { log } = yield* openWords
          for (const length of [0, DurableLog.longestRecord + 1]) {
            const exit = yield* Effect.exit(log.append(new Uint8Array(length)))
            expect(Exit.isFailure(exit) && Cause.isDie(exit.cause) && Cause.pretty(exit.cause)).toContain(
              `a record of ${length} bytes for ${path}`
            )
          }
          yield* log.append(new Uint8Array(DurableLog.longestRecord).fill(0x78))
        })
      )
      expect((yield* wordsOn(model.present())).map(({ length }) => length)).toEqual([DurableLog.longestRecord])
    }))

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

  it.effect("sets space aside as long as enough for new operations is left beside it, and not else", () =>
    Effect.gen(function*() {
      const enough = 20 * 1024 * 1024
      for (const free of [enough - 1, enough]) {
        const model = makeModel(new Map(), { history: false })
        model.free = free
        yield* on(model, openWords)
        expect(model.present().has("/state/reserve")).toBe(free === enough)
      }
    }))

  it.effect("sets space aside while there is plenty, and gives it up to start on a full disk", () =>
    Effect.gen(function*() {
      const model = makeModel()
      model.free = 1024 ** 3
      yield* on(model, openWords)
      const disk = model.present()
      const reserve = disk.get("/state/reserve") ?? new Uint8Array()
      expect(reserve.length).toBe(4 * 1024 * 1024)
      // A file system that compresses would hold nothing back for what gets shorter by that.
      expect(deflateRawSync(reserve).length).toBeGreaterThan(reserve.length)
      // One of that length stays; another is made anew.
      for (const [held, stays] of [[new Uint8Array(reserve.length), true], [reserve.subarray(1), false]] as const) {
        const again = makeModel(new Map(disk).set("/state/reserve", held))
        again.free = 1024 ** 3
        yield* on(again, openWords)
        const found = again.present().get("/state/reserve") ?? new Uint8Array()
        expect(found.length).toBe(reserve.length)
        expect(found.subarray(0, 64)).toEqual((stays ? held : reserve).subarray(0, 64))
      }
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
