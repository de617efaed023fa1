import { describe, it } from "@effect/vitest"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { type Destruction, Mandate, MandateMint } from "@felhom/mandate/Mandate"
import { Cause, Effect, Exit } from "effect"
import { expect } from "vitest"

const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:")
const removal: Destruction = {
  op: "snapshot.delete",
  guest: { type: "lxc", vmid: Vmid.make(9999) },
  snapshot: SnapshotName.make("felhom-selftest")
}
const mint = Effect.flatMap(MandateMint, (minter) => minter.own(removal, upid)).pipe(Effect.provide(Mandate.mintLayer))

describe("Mandate", () => {
  it.effect("allows its one destruction, once", () =>
    Effect.gen(function*() {
      const mandate = yield* mint
      expect(yield* Mandate.redeem(mandate, removal)).toEqual({ kind: "own", madeBy: upid })
      expect(yield* Effect.flip(Mandate.redeem(mandate, removal))).toMatchObject({ reason: "spent" })
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
      yield* Mandate.redeem(mandate, removal)
    }))

  it.effect("kills the program that presents a forged one", () =>
    Effect.gen(function*() {
      const genuine = yield* mint
      const forgeries: ReadonlyArray<unknown> = [
        {},
        null,
        Object.create(Mandate.prototype),
        Object.create(genuine),
        structuredClone({ ...genuine })
      ]
      for (const forgery of forgeries) {
        const exit = yield* Effect.exit(Mandate.redeem(forgery as Mandate, removal))
        expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
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
