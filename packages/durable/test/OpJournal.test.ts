import { describe, it } from "@effect/vitest"
import { OpId } from "@felhom/domain/OpId"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import * as DurableLog from "@felhom/durable/DurableLog"
import type { AcceptedOp } from "@felhom/durable/JournalRecord"
import type { IntendedCall } from "@felhom/durable/JournalWords"
import * as OpJournal from "@felhom/durable/OpJournal"
import { type Destruction, Mandate } from "@felhom/mandate/Mandate"
import { Effect, Layer } from "effect"
import { expect } from "vitest"
import { crashStates, formatDisk, makeModel, type Model } from "./ModelFileSystem.ts"
import { testCrypto } from "./TestCrypto.ts"

const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:")
const object = {
  guest: { type: "lxc", vmid: Vmid.make(9999) },
  snapshot: SnapshotName.make("felhom-selftest")
} as const
const again = Upid.make("UPID:pve:000001D6:00064B2C:6B023663:vzsnapshot:9999:felhom-agent@pve!agent:")
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

const op = OpId.make("0".repeat(31) + "1")
const accepted: AcceptedOp = {
  op,
  source: "signed",
  action: "snapshot.delete",
  subject: "lxc/9999",
  expires: null,
  document: "{\"payload\":\"e30=\"}"
}
const call: IntendedCall = {
  call: "DELETE /nodes/pve/lxc/9999/snapshot/before",
  vmid: Vmid.make(9999),
  taskType: "vzdelsnapshot"
}

/** A start of the agent on the model's disk. */
const withJournal = <A, E>(
  model: Model,
  use: (journal: typeof OpJournal.OpJournal.Service) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.flatMap(OpJournal.OpJournal, use).pipe(
    Effect.provide(
      Layer.provide(OpJournal.layer("/state"), Layer.mergeAll(model.layer, testCrypto, Mandate.mintLayer))
    )
  )

describe("OpJournal on disk", () => {
  it.effect("knows after a restart what was under way, and how far", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const stage = withJournal(model, (journal) => Effect.map(journal.open, (ops) => ops.map(({ stage }) => stage)))
      yield* withJournal(model, (journal) => journal.accepted(accepted))
      expect(yield* stage).toEqual(["accepted"])
      yield* withJournal(model, (journal) => journal.intent(op, call))
      expect(yield* withJournal(model, (journal) => journal.open)).toMatchObject([
        { ...accepted, stage: "intent", calls: [{ ...call, upid: null }], outcome: null }
      ])
      yield* withJournal(model, (journal) => journal.started(op, upid))
      expect(yield* withJournal(model, (journal) => journal.open)).toMatchObject([{
        stage: "started",
        calls: [{ upid }]
      }])
      yield* withJournal(model, (journal) => journal.ended(op, { end: "finished", detail: "OK" }))
      expect(yield* withJournal(model, (journal) => journal.open)).toMatchObject([
        { stage: "ended", calls: [{ upid }], outcome: { end: "finished", detail: "OK" } }
      ])
      yield* withJournal(model, (journal) => journal.reported(op))
      expect(yield* stage).toEqual([])
    }))

  it.effect("never lets a call be sent again that may have been sent", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (journal) => Effect.zipRight(journal.accepted(accepted), journal.intent(op, call)))
      const refusal = yield* Effect.flip(withJournal(model, (journal) => journal.intent(op, call)))
      expect(refusal).toMatchObject({ _tag: "OpOutOfOrder" })
      expect(yield* Effect.flip(withJournal(model, (journal) => journal.accepted(accepted)))).toMatchObject({
        _tag: "OpOutOfOrder"
      })
    }))

  it.effect("has what it answered for wherever the power is cut", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const told: Array<{ readonly moment: number; readonly stage: number }> = []
      const stages = ["accepted", "intent", "started", "ended"]
      yield* withJournal(model, (journal) =>
        Effect.gen(function*() {
          const steps = [
            journal.accepted(accepted),
            journal.intent(op, call),
            journal.started(op, upid),
            journal.ended(op, { end: "failed", detail: "no" })
          ]
          for (const [stage, step] of steps.entries()) {
            yield* step
            told.push({ moment: model.moments.length - 1, stage })
          }
        }))
      const found = new Map<string, number>()
      for (const [moment, state] of model.moments.entries()) {
        const least = Math.max(-1, ...told.filter((entry) => entry.moment <= moment).map(({ stage }) => stage))
        for (const disk of crashStates(state)) {
          const shown = formatDisk(disk)
          const stage = found.get(shown) ?? (yield* withJournal(makeModel(disk), (journal) =>
            Effect.map(journal.open, ([open]) => (open === undefined ? -1 : stages.indexOf(open.stage)))))
          found.set(shown, stage)
          expect(stage).toBeGreaterThanOrEqual(least)
        }
      }
      expect(found.size).toBeGreaterThan(50)
    }))

  it.effect("does nothing while its file holds what it can't read, or what can't have happened", () =>
    Effect.gen(function*() {
      const records: ReadonlyArray<readonly [record: string, why: string]> = [
        ["{}", "it holds a record that can't be read"],
        [`{"_tag":"reported","op":"${op}"}`, `there is no op ${op} that could be reported`]
      ]
      for (const [record, detail] of records) {
        const model = makeModel()
        const written = DurableLog.open({
          directory: "/state",
          name: "journal",
          load: () => Effect.void,
          keep: () => [new TextEncoder().encode(record)]
        })
        yield* Effect.scoped(written).pipe(Effect.provide(Layer.merge(model.layer, testCrypto)))
        const refusals = [
          yield* Effect.flip(withJournal(model, (journal) => journal.accepted(accepted))),
          yield* Effect.flip(withJournal(model, (journal) => journal.own(removal)))
        ]
        const path = "/state/journal.log"
        for (const refusal of refusals) expect(refusal).toMatchObject({ reason: "unreadable", path, detail })
      }
    }))

  it.effect("remembers what it made over a restart, and gives a removal one chance", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (journal) => journal.made(object, { _tag: "ok", upid }))
      const mandate = yield* withJournal(model, (journal) => journal.own(removal))
      expect(yield* Mandate.redeem(mandate, removal)).toEqual({ kind: "own", madeBy: upid })
      const refusal = yield* Effect.flip(withJournal(model, (journal) => journal.own(removal)))
      expect(refusal).toMatchObject({ _tag: "NotOurs", removalBegun: true })
      expect(refusal.message).toContain("by hand")
    }))

  it.effect("takes what a task made with warnings for made, and what it makes anew for its own again", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (journal) => journal.made(object, { _tag: "warnings", upid, count: 1, logTail: [] }))
      yield* withJournal(model, (journal) => journal.own(removal))
      const mandate = yield* withJournal(
        model,
        (journal) => Effect.zipRight(journal.made(object, { _tag: "ok", upid: again }), journal.own(removal))
      )
      expect(yield* Mandate.redeem(mandate, removal)).toEqual({ kind: "own", madeBy: again })
    }))

  it.effect("gives another right to roll back to what it made after each restart, as nothing of it is gone", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const rollback = { op: "guest.rollback", ...object } as const
      yield* withJournal(model, (journal) => journal.made(object, { _tag: "ok", upid }))
      for (let start = 0; start < 2; start++) {
        const mandate = yield* withJournal(model, (journal) => journal.own(rollback))
        expect(yield* Mandate.redeem(mandate, rollback)).toEqual({ kind: "own", madeBy: upid })
      }
      yield* withJournal(model, (journal) => journal.own(removal))
    }))

  it.effect("knows an op that it took on, also once that is over, and no other", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const known = withJournal(model, (journal) =>
        Effect.all([journal.isKnown(op), journal.isKnown(OpId.make("f".repeat(32)))]))
      expect(yield* known).toEqual([false, false])
      yield* withJournal(model, (journal) =>
        journal.accepted(accepted))
      expect(yield* known).toEqual([true, false])
      yield* withJournal(model, (journal) =>
        Effect.zipRight(journal.ended(op, { end: "failed", detail: "" }), journal.reported(op)))
      expect(yield* known).toEqual([true, false])
    }))

  it.effect("gives up its right over what is gone, so that a namesake is safe", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (journal) =>
        Effect.zipRight(journal.made(object, { _tag: "ok", upid }), journal.gone(object)))
      expect(
        yield* Effect.flip(withJournal(model, (journal) =>
          journal.own(removal)))
      ).toMatchObject({ _tag: "NotOurs" })
    }))

  it.effect("has nothing to write down of what is gone and was never its own", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (journal) =>
        Effect.gen(function*() {
          yield* journal.open
          const before = model.steps()
          yield* journal.gone(object)
          expect(model.steps()).toBe(before)
        }))
    }))

  it.effect("destroys a guest that it made only while that is still the same guest", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const destroy = { op: "guest.destroy", guest: object.guest, unreferencedDisks: false } as const
      yield* withJournal(model, (journal) =>
        Effect.gen(function*() {
          yield* journal.made({ guest: object.guest, identity: "BC:24:11:00:00:01" }, { _tag: "ok", upid })
          expect(yield* Effect.flip(journal.ownGuest(destroy, "BC:24:11:00:00:02"))).toMatchObject({ _tag: "NotOurs" })
          yield* Mandate.redeem(yield* journal.ownGuest(destroy, "BC:24:11:00:00:01"), destroy)
        }))
      const again = withJournal(model, (journal) => journal.ownGuest(destroy, "BC:24:11:00:00:01"))
      expect(yield* Effect.flip(again)).toMatchObject({ _tag: "NotOurs", object: "lxc/9999", removalBegun: true })
    }))

  it.effect("takes nothing new on while the disk is nearly full, and ends what it has", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (journal) =>
        Effect.gen(function*() {
          yield* journal.accepted(accepted)
          model.free = 1024
          const other = { ...accepted, op: OpId.make("f".repeat(32)) }
          expect(yield* Effect.flip(journal.accepted(other))).toMatchObject({ reason: "full" })
          yield* journal.ended(op, { end: "failed", detail: "x".repeat(10_000) })
        }))
    }))

  it.effect("writes its file anew once that is as long as it is worth, and twice as long as it was, and no sooner", () =>
    Effect.gen(function*() {
      const least = 256 * 1024
      for (const held of [10, 200]) {
        for (const missing of [1, 0]) {
          const model = makeModel(new Map(), { history: false })
          const size = () => model.present().get("/state/journal.log")?.length ?? 0
          const take = (journal: typeof OpJournal.OpJournal.Service, id: string, length: number) =>
            journal.accepted({ ...accepted, op: OpId.make(id.repeat(32)), document: "x".repeat(length) })
          yield* withJournal(model, (journal) => take(journal, "a", held * 1024))
          yield* withJournal(model, (journal) =>
            Effect.gen(function*() {
              yield* journal.open
              const atStart = size()
              yield* take(journal, "b", 1024)
              const around = size() - atStart - 1024
              const steps = model.steps()
              yield* take(journal, "c", Math.max(least, 2 * atStart) - missing - size() - around)
              const lookAndAppend = 2
              expect(model.steps() - steps > lookAndAppend).toBe(missing === 0)
            }))
        }
      }
    }))

  it.effect("keeps what matters when its file is written anew, and nothing else", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (journal) =>
        Effect.gen(function*() {
          yield* journal.made(object, { _tag: "ok", upid })
          yield* journal.accepted(accepted)
          for (let index = 0; index < 20; index++) {
            const other = OpId.make(index.toString(16).padStart(32, "a"))
            yield* journal.accepted({ ...accepted, op: other, document: "x".repeat(50_000) })
            yield* journal.ended(other, { end: "finished", detail: "" })
            yield* journal.reported(other)
          }
          expect((yield* journal.open).map((open) => open.op)).toEqual([op])
        }))
      expect(model.present().get("/state/journal.log")?.length).toBeLessThan(600_000)
      yield* withJournal(model, (journal) =>
        Effect.gen(function*() {
          expect((yield* journal.open).map((open) => open.op)).toEqual([op])
          yield* journal.own(removal)
        }))
      expect(model.present().get("/state/journal.log")?.length).toBeLessThan(2000)
    }))
})
