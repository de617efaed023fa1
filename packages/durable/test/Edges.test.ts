import { describe, it } from "@effect/vitest"
import { OpId } from "@felhom/domain/OpId"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import { crc32c } from "@felhom/durable/Crc32c"
import { DurableLogError } from "@felhom/durable/DurableLogError"
import * as Hold from "@felhom/durable/Hold"
import { NotOurs, OpOutOfOrder } from "@felhom/durable/JournalError"
import type { AcceptedOp, JournalRecord } from "@felhom/durable/JournalRecord"
import { applied, emptyJournal, formatMade, type JournalState, pastKept, recordsOf } from "@felhom/durable/JournalState"
import type { IntendedCall } from "@felhom/durable/JournalWords"
import { encodeFrame, encodeFrames, longestPayload, magic, parseLog, payloadLength } from "@felhom/durable/LogFormat"
import { decodeNonceRecord, encodeAnchored, encodeBlocks, encodeMoved, encodeSpent } from "@felhom/durable/NonceRecord"
import { ClockBehind, NonceSpent } from "@felhom/durable/NonceStore"
import { type NonceKey, NonceTable } from "@felhom/durable/NonceTable"
import { Effect, Either, Layer, Option } from "effect"
import { expect } from "vitest"
import { makeModel } from "./ModelFileSystem.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe("a checksum", () => {
  it("is CRC-32C, wherever the bytes stand and in however many parts", () => {
    // RFC 3720, appendix B.4.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => 31 - index))).toBe(0x113fdb5c)
    expect(crc32c(bytes("123456789"))).toBe(0xe3069283)
    expect(crc32c(bytes("xx123456789yy"), 2, 11)).toBe(0xe3069283)
    expect(crc32c(bytes("56789"), 0, 5, crc32c(bytes("1234")))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array())).toBe(0)
  })
})

describe("a log's frames", () => {
  it("are as few as hold the records, each no longer than is believed", () => {
    const record = (length: number) => new Uint8Array(length).fill(7)
    const of = (lengths: ReadonlyArray<number>) => [...encodeFrames(lengths.map(record))]
    expect(of([])).toEqual([])
    expect(of([1, 2, 3])).toEqual([encodeFrame([1, 2, 3].map(record))])
    const half = longestPayload / 2 - 4
    expect(of([half, half])).toHaveLength(1)
    expect(of([half, half + 1])).toHaveLength(2)
    expect(of([half, half, 1])).toHaveLength(2)
    expect(of([longestPayload, 1]).map(({ length }) => length)).toEqual([8 + 4 + longestPayload, 8 + 4 + 1])
    expect(payloadLength([record(3), record(5)])).toBe(16)
  })

  it("come apart into the same records, and into nothing where a byte is wrong", () => {
    const records = [bytes("one"), bytes("two"), bytes("3")]
    const whole = (parts: ReadonlyArray<Uint8Array>) => new Uint8Array(parts.flatMap((part) => [...part]))
    const log = whole([magic, encodeFrame(records.slice(0, 2)), encodeFrame(records.slice(2))])
    expect(parseLog(log)).toEqual({ records, end: { _tag: "whole" } })
    // A view that begins in the middle of its memory.
    expect(parseLog(whole([bytes("front"), log]).subarray(5))).toEqual({ records, end: { _tag: "whole" } })
    expect(parseLog(log.subarray(0, -1))).toEqual({
      records: records.slice(0, 2),
      end: { _tag: "torn", offset: magic.length + 22 }
    })
    const rotten = log.slice()
    rotten[magic.length + 9] = 0xff
    expect(parseLog(rotten)).toEqual({
      records: [],
      end: { _tag: "damaged", offset: magic.length, wholeAgainAt: magic.length + 22 }
    })
    expect(parseLog(bytes("felhom-log-v2\n\0\0"))).toEqual({ records: [], end: { _tag: "foreign" } })
    expect(parseLog(magic)).toEqual({ records: [], end: { _tag: "whole" } })
  })

  it("with a good checksum over what is no list of records are not believed", () => {
    const framed = (payload: Uint8Array) => {
      const frame = new Uint8Array(8 + payload.length)
      frame.set(payload, 8)
      const view = new DataView(frame.buffer)
      view.setUint32(0, payload.length, true)
      view.setUint32(4, crc32c(frame, 8, frame.length, crc32c(frame, 0, 4)), true)
      return new Uint8Array([...magic, ...frame])
    }
    const bad: ReadonlyArray<ReadonlyArray<number>> = [
      [],
      [0, 0, 0, 0],
      [2, 0, 0, 0, 1],
      [1, 0, 0, 0, 1, 9],
      [1, 0, 0, 0, 1, 0, 0, 0, 0]
    ]
    for (const payload of bad) {
      expect(parseLog(framed(new Uint8Array(payload))).end).toEqual({ _tag: "torn", offset: magic.length })
    }
    expect(parseLog(framed(new Uint8Array([1, 0, 0, 0, 1]))).records).toEqual([new Uint8Array([1])])
  })
})

describe("a table of nonces", () => {
  const keyOf = (index: number): NonceKey => [Math.imul(index, 0x9e3779b1) >>> 0, index, ~index >>> 0, 1]

  it("grows as keys come, and holds each with its own time", () => {
    const table = new NonceTable()
    for (let index = 0; index < 5000; index += 1) expect(table.add(...keyOf(index), index + 1)).toBe(true)
    expect(table.size).toBe(5000)
    for (let index = 0; index < 5000; index += 1) expect(table.has(keyOf(index))).toBe(true)
    expect(table.has(keyOf(5000))).toBe(false)
    const times: Array<number> = []
    table.forEach((slots, at) => times.push(slots[at + 4] ?? 0))
    expect(times.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1))
  })

  it("keeps the later of two times, and takes keys that differ in one word for two", () => {
    const table = new NonceTable(2000)
    expect(table.add(1, 2, 3, 4, 10)).toBe(true)
    expect(table.add(1, 2, 3, 4, 20)).toBe(false)
    expect(table.add(1, 2, 3, 4, 5)).toBe(false)
    const near: ReadonlyArray<NonceKey> = [[1 + 65_536, 2, 3, 4], [1, 9, 3, 4], [1, 2, 9, 4], [1, 2, 3, 9]]
    for (const key of near) {
      expect(table.has(key)).toBe(false)
      expect(table.add(...key, 1)).toBe(true)
    }
    expect(table.size).toBe(5)
    const times: Array<number> = []
    table.forEach((slots, at) => times.push(slots[at + 4] ?? 0))
    expect(times.toSorted((a, b) => a - b)).toEqual([1, 1, 1, 1, 20])
  })

  it("is written in blocks of 4096 without what may be forgotten, and read again", () => {
    const table = new NonceTable()
    for (let index = 0; index < 5000; index += 1) table.add(...keyOf(index), index < 100 ? 7 : 8)
    const blocks = encodeBlocks(table, 7)
    expect(blocks.map(({ length }) => (length - 1) / 20)).toEqual([4096, 804])
    const again = new NonceTable()
    for (const block of blocks) {
      const record = Option.getOrThrow(decodeNonceRecord(block))
      if (record._tag === "block") record.addTo(again)
    }
    expect(again.size).toBe(4900)
    expect([again.has(keyOf(99)), again.has(keyOf(100)), again.has(keyOf(4999))]).toEqual([false, true, true])
    expect(encodeBlocks(table, 8)).toEqual([])
    expect(encodeBlocks(new NonceTable(), 0)).toEqual([])
  })
})

describe("a record of nonces", () => {
  it("comes apart into what it was made of", () => {
    const spent = { key: [1, 2, 3, 0xffffffff] as NonceKey, until: 0xfffffffe, lastSeen: 1.8e12, seq: 2 ** 40 }
    const moved = { lastSeen: 1.8e12, unexplained: 3_600_000, seq: 7 }
    const anchored = { epoch: "00ff0123456789abcdef0123456789ab", lastSeen: 1.8e12, seq: 8 }
    expect(decodeNonceRecord(encodeSpent(spent))).toEqual(Option.some({ _tag: "spent", ...spent }))
    expect(decodeNonceRecord(encodeMoved(moved))).toEqual(Option.some({ _tag: "moved", ...moved }))
    expect(decodeNonceRecord(encodeAnchored(anchored))).toEqual(Option.some({ _tag: "anchored", ...anchored }))
  })

  it("of another length or kind is none", () => {
    const good = [
      encodeSpent({ key: [1, 2, 3, 4], until: 5, lastSeen: 6, seq: 7 }),
      encodeMoved({ lastSeen: 1, unexplained: 2, seq: 3 }),
      encodeAnchored({ epoch: "0".repeat(32), lastSeen: 1, seq: 2 }),
      new Uint8Array(21).fill(4, 0, 1)
    ]
    for (const record of good) {
      expect(Option.isSome(decodeNonceRecord(record))).toBe(true)
      expect(Option.isNone(decodeNonceRecord(record.subarray(0, -1)))).toBe(true)
      expect(Option.isNone(decodeNonceRecord(new Uint8Array([...record, 0])))).toBe(true)
    }
    for (const kind of [0, 5, 255]) {
      expect(Option.isNone(decodeNonceRecord(new Uint8Array(37).fill(kind, 0, 1)))).toBe(true)
    }
    expect(Option.isNone(decodeNonceRecord(new Uint8Array()))).toBe(true)
  })
})

const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzdelsnapshot:9999:felhom-agent@pve!agent:")
const op = OpId.make("0".repeat(31) + "1")
const at = EpochMillis.make(5)
const guest = { type: "lxc", vmid: Vmid.make(9999) } as const
const snapshot = { guest, snapshot: SnapshotName.make("before") }
const accepted: AcceptedOp = { op, source: "signed", action: "a", subject: null, expires: null, document: "{}" }
const call: IntendedCall = { call: "DELETE /x", vmid: null, taskType: null }
const outcome = { end: "finished", detail: "done" } as const

const steps = {
  accepted: { _tag: "accepted", at, op: accepted },
  intent: { _tag: "intent", at, op, call },
  started: { _tag: "started", at, op, upid },
  ended: { _tag: "ended", at, op, outcome },
  reported: { _tag: "reported", op }
} satisfies { readonly [step: string]: JournalRecord }

const after = (...records: ReadonlyArray<JournalRecord>): Either.Either<JournalState, string> =>
  records.reduce<Either.Either<JournalState, string>>(
    (state, record) => Either.flatMap(state, (before) => applied(before, record)),
    Either.right(emptyJournal)
  )

describe("the journal's records", () => {
  it("follow each other in one order, and the refusal says which can't", () => {
    const { accepted: begin, ended, intent, reported, started } = steps
    const orders: ReadonlyArray<readonly [records: ReadonlyArray<JournalRecord>, why: string | undefined]> = [
      [[begin, intent, started, ended, reported], undefined],
      [[begin, intent, started, intent, started, ended], undefined],
      [[begin, ended, reported], undefined],
      [[begin, intent, ended], undefined],
      [[begin, begin], `op ${op} was accepted before`],
      [[begin, ended, reported, begin], `op ${op} was accepted before`],
      [[begin, started], `op ${op} is accepted and can't be started`],
      [[begin, intent, intent], `op ${op} is intent and can't be intent`],
      [[begin, intent, started, started], `op ${op} is started and can't be started`],
      [[begin, reported], `op ${op} is accepted and can't be reported`],
      [[begin, intent, reported], `op ${op} is intent and can't be reported`],
      [[begin, ended, ended], `op ${op} is ended and can't be ended`],
      [[begin, ended, intent], `op ${op} is ended and can't be intent`],
      [[intent], `there is no op ${op} that could be intent`],
      [[reported], `there is no op ${op} that could be reported`],
      [[{ _tag: "gone", object: snapshot }], "there is no record of lxc/9999 snapshot before"],
      [[{ _tag: "removing", object: { guest, identity: "x" } }], "there is no record of lxc/9999 <x>"]
    ]
    for (const [records, why] of orders) {
      const answer = Either.match(after(...records), { onLeft: (left) => left, onRight: () => undefined })
      expect(answer, records.map(({ _tag }) => _tag).join(" ")).toBe(why)
    }
  })

  it("come to a state whose own records come to it again", () => {
    const { accepted: begin, intent, started } = steps
    const other = OpId.make("0".repeat(31) + "2")
    const state = Either.getOrThrow(after(
      { _tag: "made", object: snapshot, upid },
      { _tag: "made", object: { guest, identity: "x" }, upid },
      { _tag: "removing", object: snapshot },
      { _tag: "past", op: other },
      begin,
      intent,
      started,
      { ...intent, at: EpochMillis.make(9) },
      steps.ended
    ))
    const open = state.ops.get(op)
    expect(open?.calls.map(({ at, upid }) => [at, upid])).toEqual([[5, upid], [9, null]])
    expect(open?.outcome).toEqual({ ...outcome, at })
    expect(state.made.get(formatMade(snapshot))?.removing).toBe(true)
    expect(after(...recordsOf(state))).toEqual(Either.right(state))
    const gone = Either.getOrThrow(applied(state, { _tag: "gone", object: snapshot }))
    expect([...gone.made.keys()]).toEqual(["lxc/9999 <x>"])
  })

  it("keep the last thousand that are over, and not more", () => {
    const past = Array.from({ length: pastKept + 2 }, (_, index): JournalRecord => ({
      _tag: "past",
      op: OpId.make(index.toString(16).padStart(32, "0"))
    }))
    const state = Either.getOrThrow(after(...past))
    expect(state.past.size).toBe(pastKept)
    expect([...state.past][0]).toBe("2".padStart(32, "0"))
  })
})

describe("a hold", () => {
  const held = (content: string | undefined) =>
    Effect.flatMap(Hold.Hold, (hold) => hold.current).pipe(
      Effect.provide(Layer.provide(
        Hold.layer("/state//"),
        makeModel(content === undefined ? new Map() : new Map([["/state/hold", bytes(content)]])).layer
      ))
    )

  it.effect("is there while its file is, whatever that holds", () =>
    Effect.gen(function*() {
      expect(yield* held(undefined)).toEqual(Option.none())
      for (const content of ["", "{}", "hold", "{\"typ\":\"felhom/hold/v1\"}"]) {
        expect(yield* held(content)).toEqual(Option.some({
          typ: "felhom/hold/v1",
          since: 0,
          by: "unknown",
          reason: "the file /state/hold is there, and is none that the agent wrote"
        }))
      }
      const own = { typ: "felhom/hold/v1", since: 5, by: "root", reason: "moving house" }
      expect(yield* held(JSON.stringify(own))).toEqual(Option.some(own))
    }))

  it.effect("holds while its file can't be read, and is set by no word that is not on the disk", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const use = <A, E>(f: (hold: typeof Hold.Hold.Service) => Effect.Effect<A, E>) =>
        Effect.flatMap(Hold.Hold, f).pipe(Effect.provide(Layer.provide(Hold.layer("/state//"), model.layer)))
      model.fault = { step: 0, code: "EIO", half: false }
      const unread = Option.getOrThrow(yield* use((hold) => hold.current))
      expect(unread).toMatchObject({ since: 0, by: "unknown" })
      expect(unread.reason).toContain("cannot read /state/hold")
      // The step behind the first look at its file makes the folder.
      model.fault = { step: model.steps() + 1, code: "EIO", half: false }
      expect(yield* Effect.flip(use((hold) => hold.set("root", "moving house")))).toMatchObject({ path: "/state" })
      // Its file is read, the folder and the new file are made; then its first byte.
      model.fault = { step: model.steps() + 3, code: "ENOSPC", half: true }
      expect(yield* Effect.flip(use((hold) => hold.set("root", "moving house")))).toMatchObject({ code: "ENOSPC" })
      expect(yield* use((hold) => hold.current)).toEqual(Option.none())
    }))

  it.effect("that is there already stays, and is gone after its release and over a restart", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const use = <A, E>(f: (hold: typeof Hold.Hold.Service) => Effect.Effect<A, E>) =>
        Effect.flatMap(Hold.Hold, f).pipe(Effect.provide(Layer.provide(Hold.layer("/state"), model.layer)))
      const first = yield* use((hold) => hold.set("root", "moving house"))
      expect(yield* use((hold) => hold.set("anna", "another reason"))).toEqual(first)
      expect(yield* use((hold) => hold.current)).toEqual(Option.some(first))
      yield* use((hold) => hold.release)
      expect(yield* use((hold) => hold.current)).toEqual(Option.none())
    }))
})

describe("what goes wrong with a store", () => {
  it("says what, and what to do", () => {
    expect(new NonceSpent({ nonce: "n1" }).message).toBe(
      "the nonce n1 was used before on this host; sign the operation again, with a new one"
    )
    const behind = new ClockBehind({ now: EpochMillis.make(0), lastSeen: EpochMillis.make(1000) })
    expect(behind.message).toBe(
      "the clock says 1970-01-01T00:00:00.000Z and has said 1970-01-01T00:00:01.000Z before; set it right (timedatectl). " +
        "If the later time was the wrong one, an operator signs store.reanchor"
    )
    expect(new NotOurs({ object: "lxc/1 snapshot a" }).message).toBe(
      "no record that this agent made lxc/1 snapshot a; it is left alone"
    )
    expect(new NotOurs({ object: "lxc/1 snapshot a", removalBegun: true }).message).toContain("remove it by hand")
    expect(new OpOutOfOrder({ detail: "op 1 is ended" }).message).toBe("op 1 is ended; nothing is done for it")
    const advice = {
      io: "until it is opened anew",
      poisoned: "until it is opened anew",
      full: "space was made",
      damaged: "keep a copy",
      lost: "keep a copy",
      unreadable: "newer felhom-agent"
    } as const
    for (const reason of ["io", "poisoned", "full", "damaged", "lost", "unreadable"] as const) {
      const { message } = new DurableLogError({ reason, path: "/state/x.log", detail: "why" })
      expect(message).toMatch(/^\/state\/x\.log: why; /)
      expect(message).toContain(advice[reason])
    }
  })
})
