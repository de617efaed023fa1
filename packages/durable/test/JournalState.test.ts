import { OpId } from "@felhom/domain/OpId"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import type { JournalRecord } from "@felhom/durable/JournalRecord"
import { applied, emptyJournal, type JournalState, recordsOf } from "@felhom/durable/JournalState"
import { Either } from "effect"
import { describe, expect, it } from "vitest"

const op = OpId.make("0".repeat(32))
const at = EpochMillis.make(1)
const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzdelsnapshot:101:felhom-agent@pve!agent:")
const other = Upid.make("UPID:pve:000001D6:00064B2D:6B023663:vzdelsnapshot:101:felhom-agent@pve!agent:")
const guest = { type: "lxc", vmid: Vmid.make(101) } as const
const call = { call: "DELETE /nodes/pve/lxc/101/snapshot/before", vmid: guest.vmid, taskType: "vzdelsnapshot" }
const snapshot = { guest, snapshot: SnapshotName.make("before") }
const made = { guest, identity: "who" }
const taken: JournalRecord = {
  _tag: "accepted",
  at,
  op: { op, source: "signed", action: "snapshot.delete", subject: "lxc/101", expires: null, document: "{}" }
}
const intent: JournalRecord = { _tag: "intent", at, op, call }
const ended: JournalRecord = { _tag: "ended", at, op, outcome: { end: "finished", detail: "done" } }

const after = (records: ReadonlyArray<JournalRecord>): JournalState =>
  records.reduce<JournalState>(
    (state, record) => Either.getOrThrowWith(applied(state, record), (why) => new Error(why)),
    emptyJournal
  )

// A journal that is written anew keeps only these.
describe("what is kept of a journal", () => {
  it.each<readonly [string, ReadonlyArray<JournalRecord>]>([
    ["an op that was accepted", [taken]],
    ["an op whose call is about to be made", [taken, intent]],
    ["an op whose task is known", [taken, intent, { _tag: "started", at, op, upid }]],
    ["an op that has ended", [taken, intent, { _tag: "started", at, op, upid }, ended]],
    ["an op that is over", [taken, ended, { _tag: "reported", op }]],
    ["a snapshot of the agent's own", [{ _tag: "made", object: snapshot, upid }]],
    ["a guest of the agent's own", [{ _tag: "made", object: made, upid }]],
    ["a removal that was begun", [
      { _tag: "made", object: snapshot, upid },
      { _tag: "made", object: made, upid: other },
      { _tag: "removing", object: snapshot }
    ]],
    ["a removal that is over", [{ _tag: "made", object: snapshot, upid }, { _tag: "gone", object: snapshot }]]
  ])("comes to the same again: %s", (_, records) => {
    const state = after(records)
    expect(after(recordsOf(state))).toEqual(state)
  })

  it.each<readonly [string, ReadonlyArray<JournalRecord>, JournalRecord, string]>([
    ["accepted twice", [taken], taken, `op ${op} was accepted before`],
    ["accepted after its end", [taken, ended, { _tag: "reported", op }], taken, `op ${op} was accepted before`],
    ["ended twice", [taken, ended], ended, `op ${op} is ended and can't be ended`],
    ["begun after its end", [taken, ended], intent, `op ${op} is ended and can't be intent`],
    ["removed without having been made", [], { _tag: "removing", object: snapshot }, "there is no record of lxc/101"],
    ["gone without having been made", [], { _tag: "gone", object: made }, "there is no record of lxc/101"]
  ])("is no journal where something is %s", (_, before, record, why) => {
    expect(applied(after(before), record)).toEqual(Either.left(expect.stringContaining(why)))
  })

  it("tells a snapshot from another one, and from its guest", () => {
    const second = { guest, snapshot: SnapshotName.make("after") }
    const { made: held } = after([
      { _tag: "made", object: snapshot, upid },
      { _tag: "made", object: second, upid: other },
      { _tag: "made", object: made, upid }
    ])
    expect(held.size).toBe(3)
    const left = after([
      { _tag: "made", object: snapshot, upid },
      { _tag: "made", object: second, upid: other },
      { _tag: "gone", object: snapshot }
    ])
    expect([...left.made.values()]).toEqual([{ object: second, upid: other, removing: false }])
  })
})
