import { JournalRecord } from "@felhom/durable/JournalRecord"
import { Either, Schema } from "effect"
import { describe, expect, it } from "vitest"

const op = "0".repeat(32)
const guest = { type: "lxc", vmid: 101 }
const upid = "UPID:pve:00000001:00000002:6B030094:vzstart:101:felhom-agent@pve!agent:"
const call = { call: "POST /nodes/pve/lxc/101/status/start", vmid: 101, taskType: "vzstart" }
const count = { touched: "lxc 101", created: false, grown: 0 }
const outcome = { end: "finished", detail: "done" }
const accepted = { op, source: "signed", action: "guest.destroy", subject: "lxc/101", expires: 9, document: "{}" }
const step = {
  step: "lxc/101 guest.start",
  epoch: "1".repeat(32),
  version: 1,
  action: "guest.start",
  guest,
  call,
  write: { key: "cores", text: "2" },
  count
}

// One of each kind, with all that it can hold.
const records: ReadonlyArray<{ readonly [key: string]: unknown }> = [
  ...["signed", "desired", "policy", "local"].map((source) => ({
    _tag: "accepted",
    at: 1,
    op: { ...accepted, source }
  })),
  { _tag: "intent", at: 1, op, call },
  { _tag: "started", at: 1, op, upid },
  { _tag: "ended", at: 1, op, outcome },
  { _tag: "reported", op },
  { _tag: "past", op },
  { _tag: "made", object: { guest, snapshot: "before" }, upid },
  { _tag: "made", object: { guest, identity: "lxc 101" }, upid },
  { _tag: "removing", object: { guest, snapshot: "before" } },
  { _tag: "gone", object: { guest, identity: "lxc 101" } },
  { _tag: "step.begun", at: 1, step },
  { _tag: "step.started", step: step.step, upid },
  { _tag: "step.ended", at: 1, step: step.step, outcome },
  { _tag: "step.told", step: step.step },
  { _tag: "step.counted", at: 1, count },
  { _tag: "making.chosen", at: 1, key: "web", guest, call },
  { _tag: "making.called", key: "web", upid },
  { _tag: "making.stands", key: "web", identity: "lxc 101" },
  { _tag: "making.starting", key: "web" },
  { _tag: "making.proven", key: "web" },
  { _tag: "making.removing", key: "web" },
  { _tag: "making.forgotten", key: "web" }
]

const decode = Schema.decodeUnknownEither(JournalRecord)

const isGroup = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null

/** The record once for each of its parts, without it, and with something else in its place. */
const spoilt = (record: { readonly [key: string]: unknown }): ReadonlyArray<{ readonly [key: string]: unknown }> =>
  Object.entries(record).flatMap(([key, value]) => {
    const { [key]: _, ...without } = record
    const inner = isGroup(value) ? spoilt(value).map((part) => ({ ...record, [key]: part })) : []
    return [without, { ...record, [key]: [] }, { ...record, [key]: {} }, ...inner]
  })

describe("a record of the journal", () => {
  for (const [number, record] of records.entries()) {
    it(`${String(record["_tag"])} (${number}) is read as it was written, and not where a part of it is missing or something else`, () => {
      expect(decode(record)).toEqual(Either.right(record))
      for (const one of spoilt(record)) expect(Either.isLeft(decode(one)), JSON.stringify(one)).toBe(true)
    })
  }
})

it("an op's document is ASCII, from its first character to its last", () => {
  for (const document of ["\u00e9{}", "{}\u00e9", "{\u00e9}"]) {
    expect(Either.isLeft(decode({ _tag: "accepted", at: 1, op: { ...accepted, document } }))).toBe(true)
  }
})
