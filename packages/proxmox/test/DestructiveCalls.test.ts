import { it } from "@effect/vitest"
import { SnapshotName, StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { type Destruction, formatDestruction, Mandate, MandateMint } from "@felhom/mandate/Mandate"
import { type ProxmoxApi, ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect } from "effect"
import { describe, expect } from "vitest"
import { broken, ok, scripted } from "./ScriptedApi.ts"

const upid = Upid.make("UPID:demo-felhom:000001D5:00064B2C:6B023662:vzdump:101:felhom-agent@pve!agent:")
const ct = { type: "lxc", vmid: Vmid.make(101) } as const
const ctstore = StorageId.make("ctstore")
const nas = StorageId.make("nas")
const archive = Volid.make("local:backup/vzdump-lxc-101-2026_11_22-01_26_20.tar.zst")
const disk = Volid.make("ctstore:101/vm-101-disk-1.raw")
const name = SnapshotName.make("felhom1")

const archivePath =
  "/nodes/demo-felhom/storage/local/content/local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst"

const seen = ({ method, path }: { readonly method: string; readonly path: string }) =>
  `${method} ${path.replace("/api2/json", "")}`

interface Destroying {
  readonly destruction: Destruction
  readonly call: (client: ProxmoxApi, mandate: Mandate) => Effect.Effect<unknown, unknown>
  readonly sent: string
  readonly body?: string
  readonly data?: unknown
}

const restore = { archive, storage: ctstore, network: { kind: "archived" } } as const

const destroying: ReadonlyArray<Destroying> = [
  {
    destruction: { op: "snapshot.delete", guest: ct, snapshot: name },
    call: (client, mandate) => client.deleteSnapshot(ct, name, mandate),
    sent: "DELETE /nodes/demo-felhom/lxc/101/snapshot/felhom1"
  },
  {
    destruction: { op: "guest.rollback", guest: ct, snapshot: name },
    call: (client, mandate) => client.rollback(ct, name, mandate),
    sent: "POST /nodes/demo-felhom/lxc/101/snapshot/felhom1/rollback"
  },
  {
    destruction: { op: "guest.stop_hard", guest: ct },
    call: (client, mandate) => client.stopHard(ct, mandate, { overruleShutdown: true }),
    sent: "POST /nodes/demo-felhom/lxc/101/status/stop",
    body: "overrule-shutdown=1"
  },
  {
    destruction: { op: "guest.destroy", guest: ct, unreferencedDisks: false },
    call: (client, mandate) => client.destroyGuest(ct, mandate),
    sent: "DELETE /nodes/demo-felhom/lxc/101?destroy-unreferenced-disks=0"
  },
  {
    destruction: { op: "guest.destroy", guest: ct, unreferencedDisks: true },
    call: (client, mandate) => client.destroyGuest(ct, mandate, { unreferencedDisks: true }),
    sent: "DELETE /nodes/demo-felhom/lxc/101?destroy-unreferenced-disks=1"
  },
  {
    destruction: { op: "guest.restore_over", guest: ct, archive },
    call: (client, mandate) => client.restoreContainerOver(ct.vmid, restore, mandate),
    sent: "POST /nodes/demo-felhom/lxc",
    body: "vmid=101&ostemplate=local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst&restore=1&storage=ctstore" +
      "&force=1"
  },
  {
    destruction: { op: "backup.delete", volid: archive },
    call: (client, mandate) => client.deleteBackup(archive, mandate),
    sent: `DELETE ${archivePath}`
  },
  {
    destruction: { op: "backup.unprotect", volid: archive },
    call: (client, mandate) => client.unprotectBackup(archive, mandate),
    sent: `PUT ${archivePath}`,
    body: "protected=0",
    data: null
  },
  {
    destruction: { op: "volume.delete", volid: disk },
    call: (client, mandate) => client.deleteVolume(disk, mandate),
    sent: "DELETE /nodes/demo-felhom/storage/ctstore/content/ctstore%3A101%2Fvm-101-disk-1.raw"
  },
  {
    destruction: { op: "storage.remove", storage: nas },
    call: (client, mandate) => client.removeStorage(nas, mandate),
    sent: "DELETE /storage/nas",
    data: null
  }
]

const named = destroying.map((one) => ({ ...one, what: formatDestruction(one.destruction) }))
const mint = (destruction: Destruction) => Effect.flatMap(MandateMint, (minter) => minter.own(destruction, upid))

describe("a call that destroys", () => {
  it.effect.each(named)("is sent once for its own mandate, and for no other: $what", (one) => {
    const api = scripted(() => Effect.succeed(ok(one.data === undefined ? upid : one.data)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      for (const other of destroying) {
        if (other.destruction === one.destruction) continue
        const refused = yield* Effect.flip(one.call(client, yield* mint(other.destruction)))
        expect(refused).toMatchObject({ _tag: "MandateRefused", reason: "other" })
      }
      expect(api.sent).toEqual([])
      const mandate = yield* mint(one.destruction)
      yield* one.call(client, mandate)
      expect(yield* Effect.flip(one.call(client, mandate))).toMatchObject({ reason: "spent" })
      expect(api.sent.map(seen)).toEqual([one.sent])
      expect(api.sent[0]?.body).toBe(one.body ?? "")
    }).pipe(Effect.provide([api.layer, Mandate.mintLayer]))
  })

  it.effect.each(named)("is not sent again when its answer is lost: $what", (one) => {
    const api = scripted(() => broken("ECONNRESET"))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const mandate = yield* mint(one.destruction)
      expect(yield* Effect.flip(one.call(client, mandate))).toMatchObject({ reason: "outcome-unknown" })
      expect(yield* Effect.flip(one.call(client, mandate))).toMatchObject({ reason: "spent" })
      expect(api.sent).toHaveLength(1)
    }).pipe(Effect.provide([api.layer, Mandate.mintLayer]))
  })

  it.effect.each(named)("dies on a forged mandate: $what", (one) => {
    const api = scripted(() => Effect.succeed(ok(upid)))
    return Effect.gen(function*() {
      const forged: Mandate = Object.create(Mandate.prototype)
      expect(String(yield* Effect.exit(one.call(yield* ProxmoxClient, forged)))).toContain("forged mandate")
      expect(api.sent).toEqual([])
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("takes no archive for a volume, and no volume for an archive, whatever the mandate says", () => {
    const api = scripted(() => Effect.succeed(ok(upid)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const wrong = [
        client.deleteVolume(archive, yield* mint({ op: "volume.delete", volid: archive })),
        client.deleteBackup(disk, yield* mint({ op: "backup.delete", volid: disk })),
        client.unprotectBackup(disk, yield* mint({ op: "backup.unprotect", volid: disk })),
        client.annotateBackup(disk, { notes: "x" })
      ]
      for (const call of wrong) expect(yield* Effect.flip(call)).toMatchObject({ reason: "invalid" })
      expect(api.sent).toEqual([])
    }).pipe(Effect.provide([api.layer, Mandate.mintLayer]))
  })

  it.effect("does not compile without a mandate", () => {
    const api = scripted(() => Effect.succeed(ok(upid)))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const calls = () => [
        // @ts-expect-error A mandate is missing.
        client.destroyGuest(ct),
        // @ts-expect-error A mandate is missing.
        client.stopHard(ct),
        // @ts-expect-error A mandate is missing.
        client.deleteBackup(archive),
        // @ts-expect-error A mandate is missing.
        client.unprotectBackup(archive),
        // @ts-expect-error A mandate is missing.
        client.deleteVolume(disk),
        // @ts-expect-error A mandate is missing.
        client.removeStorage(nas),
        // @ts-expect-error A mandate is missing.
        client.restoreContainerOver(ct.vmid, restore),
        // @ts-expect-error Protection is only ever added here.
        client.annotateBackup(archive, { protect: false }),
        // @ts-expect-error Every guest of the node would be started.
        client.startAll([])
      ]
      expect(calls).toBeTypeOf("function")
      expect(api.sent).toEqual([])
    }).pipe(Effect.provide(api.layer))
  })
})
