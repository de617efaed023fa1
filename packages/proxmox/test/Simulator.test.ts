import { it } from "@effect/vitest"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import { MandateMint } from "@felhom/mandate/Mandate"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Fiber } from "effect"
import { describe, expect } from "vitest"
import { host, passing } from "./SimulatedHost.ts"

const guest = { type: "lxc", vmid: Vmid.make(9999) } as const
const missing = { type: "lxc", vmid: Vmid.make(4242) } as const
const name = SnapshotName.make("felhom-selftest")

describe("on a simulated host", () => {
  it.effect("a snapshot is taken, seen, removed with the mandate of its own task, and gone", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient.ProxmoxClient
      const waiter = yield* TaskWaiter.TaskWaiter
      const made = yield* client.createSnapshot(guest, { name, description: "by a test;\nyes=no" })
      expect((yield* waiter.wait(made))._tag).toBe("ok")
      const listed = yield* client.snapshots(guest)
      expect(listed.unreadable).toEqual([])
      expect(listed.rows).toMatchObject([{ name, description: "by a test;\nyes=no", incomplete: false }])
      expect(listed.current?.parent).toBe(name)

      const mint = yield* MandateMint
      const mandate = yield* mint.own({ op: "snapshot.delete", guest, snapshot: name }, made)
      const removed = yield* waiter.wait(yield* client.deleteSnapshot(guest, name, mandate))
      expect(removed._tag).toBe("ok")
      expect((yield* client.snapshots(guest)).rows).toEqual([])
    })).pipe(Effect.provide(host())))

  it.effect("a description is written and read back, and a stale digest is a conflict", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient.ProxmoxClient
      const waiter = yield* TaskWaiter.TaskWaiter
      const { digest } = yield* client.guestConfig(guest)
      const change = { set: { description: "one; two = 2 & ü" }, digest: String(digest) }
      expect(yield* waiter.settle(yield* client.setConfig(guest, change))).toEqual({ _tag: "ok", upid: null })
      expect((yield* client.guestConfig(guest))["description"]).toBe("one; two = 2 & ü\n")
      expect((yield* Effect.flip(client.setConfig(guest, change))).reason).toBe("conflict")
    })).pipe(Effect.provide(host())))

  it.effect("what can't be done is refused with its own reason", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient.ProxmoxClient
      const reasonOf = <A>(call: Effect.Effect<A, { readonly reason: string }>) =>
        Effect.map(Effect.flip(call), (error) => error.reason)
      expect(yield* reasonOf(client.guestConfig(missing))).toBe("guest-not-found")
      expect(yield* reasonOf(client.shutdown(guest))).toBe("wrong-state")
      expect(yield* reasonOf(client.setConfig(guest, { set: { memory: "lots" } }))).toBe("invalid")
      expect(yield* reasonOf(client.setConfig(guest, {}))).toBe("invalid")
    })).pipe(Effect.provide(host())))

  it.effect("everything that is read for a report is read whole", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient.ProxmoxClient
      expect((yield* client.version).version).toMatch(/^9\./)
      expect((yield* client.nodeStatus).memory.total).toBeGreaterThan(0)
      const resources = yield* client.clusterResources
      expect(resources.guests.map((row) => row.vmid)).toContain(9999)
      expect(resources.unreadable).toEqual([])
      for (
        const call of [
          client.nodes,
          client.guests("lxc"),
          client.guests("qemu"),
          client.storages,
          client.storageConfig,
          client.disks()
        ]
      ) {
        const listing: { readonly rows: ReadonlyArray<unknown>; readonly unreadable: ReadonlyArray<unknown> } =
          yield* call
        expect(listing.rows.length).toBeGreaterThan(0)
        expect(listing.unreadable).toEqual([])
      }
      expect((yield* client.guestStatus(guest)).status).toBe("stopped")
      expect(Object.keys(yield* client.permissions())).toContain("/vms")
    })).pipe(Effect.provide(host())))

  it.effect("a shutdown that a guest ignores fails in the end, and it runs on", () =>
    passing(Effect.gen(function*() {
      const [sim, client, waiter] = [yield* PveSim, yield* ProxmoxClient.ProxmoxClient, yield* TaskWaiter.TaskWaiter]
      yield* sim.change({ _tag: "guest.status", vmid: 9999, status: "running" })
      yield* sim.change({ _tag: "guest.stubborn", vmid: 9999, stubborn: true })
      const outcome = yield* waiter.wait(yield* client.shutdown(guest, { timeoutSeconds: 20 }))
      expect(outcome).toMatchObject({ _tag: "failed", exitStatus: "container did not stop" })
      expect((yield* client.guestStatus(guest)).status).toBe("running")
    })).pipe(Effect.provide(host())))

  it.effect("a task whose process was killed is unknown", () =>
    passing(Effect.gen(function*() {
      const [sim, client, waiter] = [yield* PveSim, yield* ProxmoxClient.ProxmoxClient, yield* TaskWaiter.TaskWaiter]
      yield* sim.change({ _tag: "guest.status", vmid: 9999, status: "running" })
      yield* sim.change({ _tag: "guest.stubborn", vmid: 9999, stubborn: true })
      const upid = yield* client.shutdown(guest, { timeoutSeconds: 60 })
      const waiting = yield* Effect.fork(waiter.wait(upid))
      yield* Effect.sleep("10 seconds")
      yield* sim.change({ _tag: "task.kill", upid })
      expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "unknown", upid })
    })).pipe(Effect.provide(host())))

  it.effect("a lock that was left behind fails a snapshot's task and refuses a write, and both name it", () =>
    passing(Effect.gen(function*() {
      const [sim, client, waiter] = [yield* PveSim, yield* ProxmoxClient.ProxmoxClient, yield* TaskWaiter.TaskWaiter]
      yield* sim.change({ _tag: "guest.set", vmid: 9999, key: "lock", value: "backup" })
      const refused = yield* Effect.flip(client.setConfig(guest, { set: { description: "x" } }))
      expect(refused).toMatchObject({ reason: "locked", status: 500 })
      expect(refused.message).toContain("CT is locked (backup)")
      const outcome = yield* waiter.wait(yield* client.createSnapshot(guest, { name }))
      expect(outcome).toMatchObject({ _tag: "failed", exitStatus: "CT is locked (backup)" })
    })).pipe(Effect.provide(host())))

  it.effect("a wrong secret is unauthorized", () =>
    passing(Effect.gen(function*() {
      const client = yield* ProxmoxClient.ProxmoxClient
      expect((yield* Effect.flip(client.nodeStatus)).reason).toBe("unauthorized")
    })).pipe(Effect.provide(host("wrong"))))
})
