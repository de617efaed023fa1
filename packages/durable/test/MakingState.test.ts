import { Vmid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import type { MakingRecord } from "@felhom/durable/MakingRecord"
import { makingApplied, makingRecordsOf, type Makings } from "@felhom/durable/MakingState"
import { Either } from "effect"
import { describe, expect, it } from "vitest"

const key = "7".repeat(32)
const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzcreate:101:felhom-agent@pve!agent:")
const chosen: MakingRecord = {
  _tag: "making.chosen",
  at: EpochMillis.make(1),
  key,
  guest: { type: "lxc", vmid: Vmid.make(101) },
  call: { call: "POST /nodes/pve/lxc vmid=101", vmid: Vmid.make(101), taskType: "vzcreate" }
}
const called: MakingRecord = { _tag: "making.called", key, upid }
const stands: MakingRecord = { _tag: "making.stands", key, identity: "who" }
const removing: MakingRecord = { _tag: "making.removing", key }
const starting: MakingRecord = { _tag: "making.starting", key }
const proven: MakingRecord = { _tag: "making.proven", key }

const after = (records: ReadonlyArray<MakingRecord>): Makings =>
  records.reduce<Makings>(
    (makings, record) => Either.getOrThrowWith(makingApplied(makings, record), (why) => new Error(why)),
    new Map()
  )

// A journal that is written anew keeps only these: a start or a removal that was lost with that would give an own mandate again.
describe("what is kept of a guest that was made", () => {
  it.each<readonly [string, ReadonlyArray<MakingRecord>]>([
    ["its number was chosen", [chosen]],
    ["its task is known", [chosen, called]],
    ["it stands", [chosen, called, stands]],
    ["its removal was begun", [chosen, called, stands, removing]],
    ["its start was begun", [chosen, called, stands, starting]],
    ["it was proven", [chosen, called, stands, starting, proven]],
    ["it was proven without a start", [chosen, called, stands, proven]]
  ])("comes to the same again once %s", (_, records) => {
    const makings = after(records)
    expect(after(makingRecordsOf(makings))).toEqual(makings)
  })

  it.each<readonly [MakingRecord, ReadonlyArray<MakingRecord>, string]>([
    [{ ...chosen }, [chosen, called], "is called and can't be given a number anew"],
    [starting, [chosen, called], "is called and can't be making.starting"],
    [starting, [chosen, called, stands, removing], "is being removed and can't be making.starting"],
    [called, [], "there is no record of a guest"]
  ])("is not followed by %o out of order", (record, before, why) => {
    expect(makingApplied(after(before), record)).toEqual(Either.left(expect.stringContaining(why)))
  })
})
