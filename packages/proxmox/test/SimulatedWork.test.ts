import { it } from "@effect/vitest"
import { StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import { type Destruction, type Mandate, MandateMint } from "@felhom/mandate/Mandate"
import { type ProxmoxApi, ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { describe, expect } from "vitest"
import { host, passing } from "./SimulatedHost.ts"

const tiny = { type: "lxc", vmid: Vmid.make(9999) } as const
const copy = { type: "lxc", vmid: Vmid.make(9998) } as const
const local = StorageId.make("local")
const ctstore = StorageId.make("ctstore")

/** Waits for a task, and says how it ended. */
const ended = <E, R>(started: Effect.Effect<Upid | null, E, R>) =>
  Effect.gen(function*() {
    const waiter = yield* TaskWaiter
    const outcome = yield* waiter.settle(yield* started)
    return outcome._tag === "failed" ? outcome.exitStatus : outcome._tag
  })

const backUp = Effect.gen(function*() {
  const client = yield* ProxmoxClient
  expect(yield* ended(client.backUp(tiny, { storage: local, notesTemplate: "{{guestname}} by a test" }))).toBe("ok")
  const [row] = (yield* client.storageContent(local, { content: "backup", vmid: tiny.vmid })).rows
  return Volid.make(row?.volid ?? "none:")
})

/** A call with the mandate for what it destroys, as a journal would mint it for what the agent made. */
const destroying = <A, E>(
  destruction: Destruction,
  call: (client: ProxmoxApi, mandate: Mandate) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const mint = yield* MandateMint
    const [row] = (yield* client.tasks({ source: "all", limit: 1 })).rows
    if (row === undefined) return yield* Effect.dieMessage("no task was ever run here")
    return yield* call(client, yield* mint.own(destruction, row.upid))
  })

describe("on a simulated host", () => {
  it.effect("a backup is made, described, protected, freed and deleted", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const archive = yield* backUp
      expect(yield* client.volumeAttributes(archive)).toMatchObject({ notes: "tiny by a test", protected: false })
      expect(yield* client.archivedConfig(archive)).toContain("hostname: tiny")
      yield* client.annotateBackup(archive, { notes: "kept", protect: true })
      expect(yield* client.volumeAttributes(archive)).toMatchObject({ notes: "kept", protected: true })
      expect((yield* client.pruneDryRun(local, tiny, { last: 1 })).rows).toMatchObject([
        { volid: archive, mark: "protected" }
      ])
      const remove = destroying({ op: "backup.delete", volid: archive }, (api, mandate) =>
        api.deleteBackup(archive, mandate))
      expect(yield* ended(remove)).toContain("cannot remove protected")
      yield* destroying({ op: "backup.unprotect", volid: archive }, (api, mandate) =>
        api.unprotectBackup(archive, mandate))
      expect(yield* ended(remove)).toBe("ok")
      expect((yield* client.storageContent(local, { content: "backup" })).rows).toEqual([])
    })).pipe(Effect.provide(host())))

  it.effect("a machine's archive becomes a machine of its own, and what can't be is refused with its kind", () =>
    passing(Effect.gen(function*() {
      const [client, sim] = [yield* ProxmoxClient, yield* PveSim]
      const [original, made] = [200, 300].map((vmid) => ({ type: "qemu" as const, vmid: Vmid.make(vmid) }))
      if (original === undefined || made === undefined) return
      expect(yield* ended(client.backUp(original, { storage: local }))).toBe("ok")
      const [row] = (yield* client.storageContent(local, { content: "backup", vmid: original.vmid })).rows
      const archive = Volid.make(row?.volid ?? "none:")
      const restore = {
        archive,
        storage: ctstore,
        freshAddresses: true,
        network: { net0: "e1000,bridge=vmbr0" },
        shape: { name: "shop", memory: 512, onboot: true, protection: false, tags: ["b", "a"], description: "till" }
      } as const
      expect(yield* ended(client.restoreMachine(made.vmid, restore))).toBe("ok")
      const config = yield* client.guestConfig(made)
      expect(config).toMatchObject({
        name: "shop",
        memory: "512",
        onboot: 1,
        protection: 0,
        tags: "a;b",
        description: "till",
        net0: expect.stringMatching(/^e1000=BC:24:11:[0-9A-F:]{8},bridge=vmbr0$/)
      })
      expect(config["smbios1"]).not.toBe((yield* client.guestConfig(original))["smbios1"])
      expect(yield* Effect.flip(client.restoreMachine(made.vmid, restore))).toMatchObject({ reason: "already-exists" })
      yield* sim.change({ _tag: "file.remove", path: archive })
      expect(yield* Effect.flip(client.restoreMachine(Vmid.make(301), restore))).toMatchObject({
        reason: "storage-not-found"
      })
    })).pipe(Effect.provide(host())))

  it.effect("an archive becomes a guest of its own, which is grown, stopped hard and destroyed", () =>
    passing(Effect.gen(function*() {
      const [client, sim] = [yield* ProxmoxClient, yield* PveSim]
      const archive = yield* backUp
      const restore = { archive, storage: ctstore, network: { kind: "fresh-addresses" } } as const
      expect(yield* ended(client.restoreContainer(copy.vmid, restore))).toBe("ok")
      const config = yield* client.guestConfig(copy)
      expect(config).toMatchObject({ hostname: "tiny", unprivileged: 1 })
      expect(config["net0"]).not.toBe((yield* client.guestConfig(tiny))["net0"])
      expect(yield* Effect.flip(client.restoreContainer(copy.vmid, restore))).toMatchObject({
        reason: "already-exists"
      })

      expect(yield* ended(client.growVolume(copy, "rootfs", { growBy: 64 * 1024 ** 2 }))).toBe("ok")
      expect((yield* client.guestConfig(copy))["rootfs"]).toContain("size=1088M")
      yield* sim.change({ _tag: "guest.status", vmid: copy.vmid, status: "running" })
      const destroy = destroying(
        { op: "guest.destroy", guest: copy, unreferencedDisks: false },
        (api, mandate) => api.destroyGuest(copy, mandate)
      )
      expect(yield* Effect.flip(destroy)).toMatchObject({ reason: "wrong-state" })
      const stop = destroying({ op: "guest.stop_hard", guest: copy }, (api, mandate) => api.stopHard(copy, mandate))
      expect(yield* ended(stop)).toBe("ok")
      expect(yield* ended(destroy)).toBe("ok")
      expect(yield* Effect.flip(client.guestConfig(copy))).toMatchObject({ reason: "guest-not-found" })
    })).pipe(Effect.provide(host())))

  it.effect("a container is made from a template", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const [template] = (yield* client.storageContent(local, { content: "vztmpl" })).rows
      const made = client.createContainer({
        vmid: copy.vmid,
        template: Volid.make(template?.volid ?? "none:"),
        root: { storage: ctstore, gib: 1 },
        nesting: true,
        network: { net0: "name=eth0,bridge=vmbr0,ip=dhcp" },
        shape: { hostname: "fresh", memory: 64, tags: ["b", "a"] }
      })
      expect(yield* ended(made)).toBe("ok")
      expect(yield* client.guestConfig(copy)).toMatchObject({
        hostname: "fresh",
        unprivileged: 1,
        features: "nesting=1"
      })
    })).pipe(Effect.provide(host())))

  it.effect("a backup lock that was left behind is cleared, and the guest is not started", () =>
    passing(Effect.gen(function*() {
      const [client, sim] = [yield* ProxmoxClient, yield* PveSim]
      yield* sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "lock", value: "backup" })
      expect(yield* ended(client.startAll([tiny.vmid]))).toBe("ok")
      expect(yield* client.guestStatus(tiny)).toMatchObject({ status: "stopped", lock: null })
    })).pipe(Effect.provide(host())))

  it.effect("a number is free or taken, whether by a container or a machine", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient
      expect(yield* Effect.forEach([111, 200, 9999], (vmid) => client.vmidIsFree(Vmid.make(vmid))))
        .toEqual([true, false, false])
    })).pipe(Effect.provide(host())))

  it.effect("a thin pool is read with what it keeps its books in", () =>
    passing(Effect.gen(function*() {
      const [client, sim] = [yield* ProxmoxClient, yield* PveSim]
      expect(yield* client.thinPools).toEqual({ rows: [], unreadable: [] })
      const config = { type: "lvmthin", vgname: "pve", thinpool: "data", content: "images,rootdir" }
      yield* sim.change({ _tag: "storage.set", storage: "local-lvm", config })
      yield* sim.change({ _tag: "storage.metadata", storage: "local-lvm", used: 1_000_000 })
      const { rows: [pool] } = yield* client.thinPools
      const { rows } = yield* client.storages
      const storage = rows.find((one) => one.storage === "local-lvm")
      expect(pool).toMatchObject({ vg: "pve", lv: "data", lv_size: storage?.total, used: storage?.used })
      expect(pool).toMatchObject({ metadata_used: 1_000_000 })
      expect(pool?.metadata_size).toBeGreaterThanOrEqual(2 ** 30)
    })).pipe(Effect.provide(host())))

  it.effect("what is read about host and rights is read whole", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient
      expect((yield* client.clusterStatus).rows).toMatchObject([{ type: "node", local: true, online: true }])
      expect((yield* client.nodeTime).timezone).toBe("Europe/Budapest")
      expect((yield* client.smart("/dev/vda")).health).toBe("UNKNOWN")
      expect((yield* client.acl).rows.map(({ ugid }) => ugid)).toContain("felhom-agent@pve!agent")
      expect(yield* Effect.flip(client.ownToken)).toMatchObject({ reason: "forbidden" })
    })).pipe(Effect.provide(host())))
})
