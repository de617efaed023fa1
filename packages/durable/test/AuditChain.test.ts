import { describe, it } from "@effect/vitest"
import type { AuditEntry } from "@felhom/domain/AuditEntry"
import * as AuditChain from "@felhom/durable/AuditChain"
import { type KnownHead, verifyAudit } from "@felhom/durable/AuditVerdict"
import { encodeFrames, magic, parseLog } from "@felhom/durable/LogFormat"
import { Effect, Layer, Option } from "effect"
import { expect } from "vitest"
import { type Disk, makeModel, type Model } from "./ModelFileSystem.ts"
import { testCrypto } from "./TestCrypto.ts"

const path = "/state/audit.log"
const entry = (version: string): AuditEntry => ({ _tag: "agent.started", version, bootId: null })

const withChain = <A, E>(model: Model, use: (chain: typeof AuditChain.AuditChain.Service) => Effect.Effect<A, E>) =>
  Effect.flatMap(AuditChain.AuditChain, use).pipe(
    Effect.provide(Layer.provide(AuditChain.layer("/state"), Layer.merge(model.layer, testCrypto)))
  )

const fiveEntries = Effect.gen(function*() {
  const model = makeModel()
  const heads = yield* withChain(
    model,
    (chain) => Effect.forEach(["1", "2", "3", "4", "5"], (version) => chain.append(entry(version)))
  )
  return { model, heads }
})

const bytesOn = (disk: Disk): Uint8Array => disk.get(path) ?? new Uint8Array()

const judged = (bytes: Uint8Array, known?: KnownHead) => Effect.provide(verifyAudit(bytes, known), testCrypto)

/** The file again after somebody changed its records, with checksums that fit. */
const forged = (bytes: Uint8Array, change: (records: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array>) => {
  const [init, ...records] = parseLog(bytes).records
  const parts = [magic, ...encodeFrames([init ?? new Uint8Array(), ...change(records)])]
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

const text = { decode: new TextDecoder(), encode: new TextEncoder() }

describe("AuditChain", () => {
  it.effect("goes on over restarts as one chain that is whole", () =>
    Effect.gen(function*() {
      const model = makeModel()
      for (const version of ["1", "2", "3"]) yield* withChain(model, (chain) => chain.append(entry(version)))
      const head = yield* withChain(model, (chain) => chain.head)
      const verdict = yield* judged(bytesOn(model.present()))
      expect(verdict.breaks).toEqual([])
      expect(verdict.head).toEqual(head)
      expect(verdict.links.map(({ entry, seq }) => [seq, entry])).toEqual([[1, entry("1")], [2, entry("2")], [
        3,
        entry("3")
      ]])
    }))

  it.effect("keeps the order of entries that come at once", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withChain(model, (chain) =>
        Effect.forEach(
          Array.from({ length: 30 }, (_, n) => String(n)),
          (n) => chain.append(entry(n)),
          {
            concurrency: "unbounded"
          }
        ))
      const verdict = yield* judged(bytesOn(model.present()))
      expect([verdict.breaks, verdict.head.length]).toEqual([[], 30])
    }))

  it.effect("writes an entry whatever its words are", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const detail = "x".repeat(100_000)
      yield* withChain(model, (chain) =>
        chain.append({ _tag: "op.refused", action: null, subject: detail, payload: null, reason: "armor", detail }))
      const { breaks, links } = yield* judged(bytesOn(model.present()))
      expect(breaks).toEqual([])
      expect(links[0]?.entry).toMatchObject({ detail: `${"x".repeat(2047)}…`, subject: `${"x".repeat(255)}…` })
    }))

  const cases: ReadonlyArray<
    readonly [
      what: string,
      change: (records: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array>,
      kind: string,
      seq: number,
      detail: string
    ]
  > = [
    ["deleted", (all) => all.filter((_, index) => index !== 2), "missing", 3, "entry 3 is gone"],
    ["deleted at the beginning", (all) => all.slice(1), "missing", 1, "entry 1 is gone"],
    [
      "changed",
      (all) =>
        all.map((record, index) =>
          index === 1
            ? text.encode.encode(text.decode.decode(record).replace("\"version\":\"2\"", "\"version\":\"9\""))
            : record
        ),
      "changed",
      2,
      "entry 2 is not the one that entry 3 was written after"
    ],
    ["moved", (all) => [all[0]!, all[2]!, all[1]!, all[3]!, all[4]!], "moved", 2, "entry 2 stands behind entry 3"],
    ["doubled", (all) => [...all.slice(0, 3), ...all.slice(2)], "moved", 3, "entry 3 stands there twice"],
    [
      "replaced by something else",
      (all) => all.map((record, index) => (index === 3 ? text.encode.encode("{}") : record)),
      "unreadable",
      4,
      "what stands in the place of entry 4 is no entry"
    ]
  ]
  for (const [what, change, kind, seq, detail] of cases) {
    it.effect(`shows an entry that was ${what}, and which`, () =>
      Effect.gen(function*() {
        const { model } = yield* fiveEntries
        const bytes = forged(bytesOn(model.present()), change)
        const { breaks } = yield* judged(bytes)
        expect(breaks).toContainEqual({ kind, seq, detail })
        // What is known of the chain says nothing more of one that is broken.
        expect((yield* judged(bytes, { length: Option.some(99), head: Option.none() })).breaks).toEqual(breaks)
      }))
  }

  it.effect("names all that are gone, and an entry of another chain", () =>
    Effect.gen(function*() {
      const [{ model }, other] = [yield* fiveEntries, yield* fiveEntries]
      const bytes = bytesOn(model.present())
      const detailsOf = (change: (records: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array>) =>
        Effect.map(judged(forged(bytes, change)), ({ breaks }) => breaks.map(({ detail }) => detail))
      expect(yield* detailsOf((all) => all.filter((_, index) => index !== 2))).toEqual(["entry 3 is gone"])
      expect(yield* detailsOf((all) => [all[0]!, all[3]!, all[4]!])).toEqual(["entries 2 to 3 are gone"])
      const theirs = parseLog(bytesOn(other.model.present())).records.slice(1)
      expect(yield* detailsOf(() => theirs)).toEqual(["entry 1 belongs to another chain"])
      expect(yield* detailsOf((all) => [text.encode.encode("{}"), ...all])).toEqual([
        "what stands in the place of entry 1 is no entry"
      ])
    }))

  it.effect("is whole before its first entry, and shows when that was cut off", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const head = yield* withChain(model, (chain) => chain.head)
      const bytes = bytesOn(model.present())
      expect(yield* judged(bytes)).toMatchObject({ links: [], head: { ...head, length: 0 }, breaks: [], cutOff: 0 })
      const known: KnownHead = { length: Option.some(1), head: Option.none() }
      expect((yield* judged(bytes, known)).breaks).toEqual([
        { kind: "truncated", seq: 1, detail: "entry 1 is gone: the chain ends at 0 and had 1" }
      ])
    }))

  it.effect("goes on behind no entry that it can't read", () =>
    Effect.gen(function*() {
      const { model } = yield* fiveEntries
      const bytes = forged(bytesOn(model.present()), (all) => [...all, text.encode.encode("{}")])
      const after = makeModel(new Map(model.present()).set(path, bytes))
      const refusal = yield* Effect.flip(withChain(after, (chain) => chain.append(entry("6"))))
      expect(refusal).toMatchObject({ reason: "unreadable", path, detail: "its last entry can't be read" })
      expect(after.present().get(path)).toEqual(bytes)
    }))

  it.effect("shows a byte that rotted, and in which entry", () =>
    Effect.gen(function*() {
      const { model } = yield* fiveEntries
      const bytes = bytesOn(model.present()).slice()
      const index = text.decode.decode(bytes).indexOf("\"seq\":3")
      bytes[index + 6]! ^= 1
      const words = /^bytes [0-9]+ to [0-9]+, where entry 3 begins, are damaged$/
      expect((yield* judged(bytes)).breaks).toContainEqual({
        kind: "damaged",
        seq: 3,
        detail: expect.stringMatching(words)
      })
    }))

  it.effect("shows entries cut off at the end to whoever knows how many there were, or one of the last hashes", () =>
    Effect.gen(function*() {
      const { heads, model } = yield* fiveEntries
      const shorter = forged(bytesOn(model.present()), (all) => all.slice(0, 3))
      expect((yield* judged(shorter)).breaks).toEqual([])
      const byLength = yield* judged(shorter, { length: Option.some(5), head: Option.none() })
      expect(byLength.breaks).toMatchObject([{ kind: "truncated", seq: 4 }])
      expect(byLength.breaks[0]?.detail).toContain("entries 4 to 5 are gone")
      const head = Option.fromNullable(heads[4]?.head)
      const byHead = yield* judged(shorter, { length: Option.none(), head })
      expect(byHead.breaks).toEqual([{
        kind: "truncated",
        seq: null,
        detail: `no entry has the hash ${heads[4]?.head}: what was written up to then was cut off or changed`
      }])
      const bytes = bytesOn(model.present())
      expect((yield* judged(bytes, { length: Option.some(5), head })).breaks).toEqual([])
      expect((yield* judged(bytes, { length: Option.none(), head })).breaks).toEqual([])
      expect((yield* judged(bytes, { length: Option.some(4), head })).breaks).toMatchObject([{
        kind: "other-head",
        seq: 4,
        detail: `entry 4 has not the hash ${heads[4]?.head}`
      }])
    }))

  it.effect("takes an entry that a crash cut off for no break, as nobody was told of it", () =>
    Effect.gen(function*() {
      const { model } = yield* fiveEntries
      const bytes = bytesOn(model.present()).subarray(0, -3)
      const verdict = yield* judged(bytes)
      expect([verdict.breaks, verdict.head.length]).toEqual([[], 4])
      expect(verdict.cutOff).toBeGreaterThan(100)
      // Room that was made behind it was not cut off.
      expect(yield* judged(Uint8Array.from([...bytes, ...new Uint8Array(64)]))).toEqual(verdict)
      expect(verdict.cutOff).toBeLessThan(bytesOn(model.present()).length / 2)
    }))

  it.effect("says of another file that it is no chain", () =>
    Effect.gen(function*() {
      const detailOf = (bytes: Uint8Array) => Effect.map(judged(bytes), ({ breaks }) => breaks)
      expect(yield* detailOf(text.encode.encode("hello"))).toEqual([
        { kind: "not-a-chain", seq: null, detail: "the file is not a felhom log" }
      ])
      const beginless = [{ kind: "not-a-chain", seq: null, detail: "the beginning of the chain is gone" }]
      expect(yield* detailOf(magic)).toEqual(beginless)
      const { model } = yield* fiveEntries
      const [, ...records] = parseLog(bytesOn(model.present())).records
      expect(yield* detailOf(Uint8Array.from([magic, ...encodeFrames(records)].flatMap((part) => [...part])))).toEqual(
        beginless
      )
    }))
})
