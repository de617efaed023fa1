import { describe, it } from "@effect/vitest"
import { GuestRef, SnapshotName, StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { Upid } from "@felhom/domain/Upid"
import {
  type Destruction,
  formatDestruction,
  Mandate,
  MandateMint,
  type SnapshotDestruction
} from "@felhom/mandate/Mandate"
import { Arbitrary, Cause, Effect, Exit, FastCheck, Predicate, Schema } from "effect"
import { expect } from "vitest"

const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:")
const removal: SnapshotDestruction = {
  op: "snapshot.delete",
  guest: { type: "lxc", vmid: Vmid.make(9999) },
  snapshot: SnapshotName.make("felhom-selftest")
}
const mint = Effect.flatMap(MandateMint, (minter) => minter.own(removal, upid)).pipe(Effect.provide(Mandate.mintLayer))

const fields = (destruction: Destruction): string =>
  JSON.stringify(
    destruction,
    (_, value: unknown) =>
      Predicate.isRecord(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value
  )

const of = <Op extends string, Fields extends Schema.Struct.Fields>(op: Op, fields: Fields) =>
  Schema.Struct({ op: Schema.Literal(op), ...fields })

/** Any destruction. A field that the union gains and this lacks does not compile. */
const AnyDestruction = Schema.Union(
  of("snapshot.delete", { guest: GuestRef, snapshot: SnapshotName }),
  of("guest.rollback", { guest: GuestRef, snapshot: SnapshotName }),
  of("guest.destroy", { guest: GuestRef, unreferencedDisks: Schema.Boolean }),
  of("guest.stop_hard", { guest: GuestRef }),
  of("guest.restore_over", { guest: GuestRef, archive: Volid }),
  of("backup.delete", { volid: Volid }),
  of("backup.unprotect", { volid: Volid }),
  of("volume.delete", { volid: Volid }),
  of("storage.remove", { storage: StorageId })
)
const total = (destruction: Destruction): typeof AnyDestruction.Type => destruction
const anyDestruction: FastCheck.Arbitrary<Destruction> = Arbitrary.make(AnyDestruction)

// Few letters, and the ones that part the fields, so that near misses are common.
const nearVolid = FastCheck.stringMatching(/^ab:[ab /]{1,4}( with unreferenced disks)?$/).map((text) =>
  Volid.make(text)
)
const nearGuest = FastCheck.record({
  type: FastCheck.constantFrom("lxc" as const, "qemu" as const),
  vmid: FastCheck.constantFrom(100, 1001, 1002).map((vmid) => Vmid.make(vmid))
})
const nearMiss: FastCheck.Arbitrary<Destruction> = FastCheck.oneof(
  FastCheck.record({
    op: FastCheck.constant("guest.destroy" as const),
    guest: nearGuest,
    unreferencedDisks: FastCheck.boolean()
  }),
  FastCheck.record({ op: FastCheck.constant("guest.stop_hard" as const), guest: nearGuest }),
  FastCheck.record({ op: FastCheck.constant("guest.restore_over" as const), guest: nearGuest, archive: nearVolid }),
  FastCheck.record({
    op: FastCheck.constantFrom("snapshot.delete" as const, "guest.rollback" as const),
    guest: nearGuest,
    snapshot: FastCheck.constantFrom("aa", "ab").map((text) => SnapshotName.make(text))
  }),
  FastCheck.record({
    op: FastCheck.constantFrom("backup.delete" as const, "backup.unprotect" as const, "volume.delete" as const),
    volid: nearVolid
  })
)

describe("formatDestruction", () => {
  for (const [kind, arbitrary] of [["any", anyDestruction], ["nearly equal", nearMiss]] as const) {
    it(`never reads the same for two ${kind} destructions that differ`, () => {
      FastCheck.assert(
        FastCheck.property(
          arbitrary,
          arbitrary,
          (one, other) => (formatDestruction(one) === formatDestruction(other)) === (fields(one) === fields(other))
        ),
        { numRuns: 2000, seed: 1 }
      )
    })
  }

  it("names what is lost", () => {
    expect(total(removal)).toBe(removal)
    expect(formatDestruction({ op: "guest.destroy", guest: removal.guest, unreferencedDisks: true })).toBe(
      "guest.destroy lxc/9999 with unreferenced disks"
    )
    expect(formatDestruction({ op: "guest.stop_hard", guest: removal.guest })).toBe("guest.stop_hard lxc/9999")
    expect(formatDestruction({ op: "storage.remove", storage: StorageId.make("local") })).toBe("storage.remove local")
  })
})

describe("Mandate", () => {
  it.effect("allows its one destruction, once", () =>
    Effect.gen(function*() {
      const mandate = yield* mint
      expect(yield* Mandate.redeem(mandate, removal)).toEqual({ kind: "own", madeBy: upid })
      const spent = yield* Effect.flip(Mandate.redeem(mandate, removal))
      expect(spent).toMatchObject({ _tag: "MandateRefused", reason: "spent" })
      expect(spent.message).toBe(
        "the mandate for snapshot.delete lxc/9999 felhom-selftest was used already; each allows one call"
      )
    }))

  it.effect("that operators signed for says what they signed, and who", () =>
    Effect.gen(function*() {
      const evidence = { payload: Sha256Hex.make("a".repeat(64)), principals: ["anna", "ben"] }
      const minter = yield* MandateMint
      const mandate = yield* minter.signed(removal, evidence)
      expect(yield* Mandate.redeem(mandate, removal)).toEqual({ kind: "signed", ...evidence })
    }).pipe(Effect.provide(Mandate.mintLayer)))

  it.effect("shows no more of itself in a log than that it is one", () =>
    Effect.gen(function*() {
      const mandate = yield* mint
      expect(`${mandate}`).toBe("Mandate(<redacted>)")
      expect(JSON.stringify(mandate)).toBe("{}")
    }))

  it.effect("is bound to its object and its op, and survives being shown for another", () =>
    Effect.gen(function*() {
      const mandate = yield* mint
      const others: ReadonlyArray<Destruction> = [
        { ...removal, op: "guest.rollback" },
        { ...removal, guest: { type: "lxc", vmid: Vmid.make(101) } },
        { ...removal, guest: { type: "qemu", vmid: Vmid.make(9999) } },
        { ...removal, snapshot: SnapshotName.make("before-update") }
      ]
      for (const other of others) {
        expect(yield* Effect.flip(Mandate.redeem(mandate, other))).toMatchObject({ reason: "other" })
      }
      const [rollback = removal] = others
      expect((yield* Effect.flip(Mandate.redeem(mandate, rollback))).message).toBe(
        "a mandate for snapshot.delete lxc/9999 felhom-selftest does not allow guest.rollback lxc/9999 felhom-selftest"
      )
      yield* Mandate.redeem(mandate, removal)
    }))

  it.effect("kills the program that presents a forged one", () =>
    Effect.gen(function*() {
      const genuine = yield* mint
      const forgeries: ReadonlyArray<unknown> = [
        {},
        null,
        undefined,
        "Mandate(<redacted>)",
        Object.create(Mandate.prototype),
        Object.create(genuine),
        structuredClone({ ...genuine })
      ]
      for (const forgery of forgeries) {
        const exit = yield* Effect.exit(Mandate.redeem(forgery as Mandate, removal))
        expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain(
          "forged mandate presented for snapshot.delete lxc/9999 felhom-selftest"
        )
      }
      yield* Mandate.redeem(genuine, removal)
    }))

  it("can't be built, nor put together from its parts", () => {
    // @ts-expect-error the constructor is private
    void (() => new Mandate())
    // @ts-expect-error a look-alike lacks the private field
    const lookalike: Mandate = { toString: () => "" }
    expect(lookalike).not.toBeInstanceOf(Mandate)
  })
})
