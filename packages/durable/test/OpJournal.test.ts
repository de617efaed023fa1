import { describe, it } from "@effect/vitest"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import * as OpJournal from "@felhom/durable/OpJournal"
import { type Destruction, Mandate } from "@felhom/mandate/Mandate"
import { Effect, Layer } from "effect"
import { expect } from "vitest"

const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:")
const object = {
  guest: { type: "lxc", vmid: Vmid.make(9999) },
  snapshot: SnapshotName.make("felhom-selftest")
} as const
const removal: Destruction = { op: "snapshot.delete", ...object }

const layer = OpJournal.layerMemory.pipe(Layer.provide(Mandate.mintLayer))

describe("OpJournal", () => {
  it.effect("gives the right to remove what an awaited task made", () =>
    Effect.gen(function*() {
      const journal = yield* OpJournal.OpJournal
      yield* journal.made(object, { _tag: "ok", upid })
      const evidence = yield* Mandate.redeem(yield* journal.own(removal), removal)
      expect(evidence).toEqual({ kind: "own", madeBy: upid })
    }).pipe(Effect.provide(layer)))

  it.effect("gives no right over what it did not make, whatever its name", () =>
    Effect.gen(function*() {
      const journal = yield* OpJournal.OpJournal
      expect(yield* Effect.flip(journal.own(removal))).toMatchObject({ _tag: "NotOurs" })
    }).pipe(Effect.provide(layer)))

  it.effect("takes a failed or unknown task as no proof", () =>
    Effect.gen(function*() {
      const journal = yield* OpJournal.OpJournal
      yield* journal.made(object, { _tag: "failed", upid, exitStatus: "CT is locked (backup)", logTail: [] })
      yield* journal.made(object, { _tag: "unknown", upid, reason: "unexpected status", logTail: [] })
      expect(yield* Effect.flip(journal.own(removal))).toMatchObject({ _tag: "NotOurs" })
    }).pipe(Effect.provide(layer)))
})
