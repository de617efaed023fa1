import { describe, it } from "@effect/vitest"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { NonceStore } from "@felhom/durable/NonceStore"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { FaultRule } from "@felhom/pve-sim/Fault"
import { Effect, Schema, TestClock } from "effect"
import { expect } from "vitest"
import { type Host, layerWith, makeHost, minutes, onHost, snapshotDelete, tiny } from "./SignedHost.ts"

const snapshotOf = (host: Host, guest: GuestRef, name: string) =>
  host.sim.change({ _tag: "guest.snapshot", vmid: guest.vmid, name, description: "" })

const change = Schema.decodeUnknownSync(ConsoleChange)
const anyway = { acceptNoProvenBackup: true }

const destroyOf = (host: Host, guest: GuestRef) =>
  Effect.map(host.shown(guest), (expect) => ({
    op: "guest.destroy",
    target: { guest },
    expect,
    params: { unreferencedDisks: false, ...anyway }
  }))

const onHostWith = (...faults: ReadonlyArray<unknown>) =>
  layerWith({ faults: faults.map((fault) => Schema.decodeUnknownSync(FaultRule)(fault)) })

/** What may happen to a guest between the operator's look at it and its op's turn. */
const meanwhile: ReadonlyArray<readonly [what: string, changes: ReadonlyArray<object>, why: RegExp]> = [
  ["renamed", [{ _tag: "guest.set", vmid: 9999, key: "hostname", value: "other" }], /has been changed/],
  ["destroyed", [{ _tag: "guest.destroy", vmid: 9999 }], /there is no guest|does not exist|no guest/],
  [
    "moved to another storage",
    [
      { _tag: "guest.destroy", vmid: 9999 },
      {
        _tag: "guest.create",
        vmid: 9999,
        config: { hostname: "tiny", rootfs: "local:1", net0: "name=eth0,bridge=vmbr0" }
      }
    ],
    /is another guest now/
  ],
  [
    "destroyed and made again under its vmid",
    [
      { _tag: "guest.destroy", vmid: 9999 },
      {
        _tag: "guest.create",
        vmid: 9999,
        config: { hostname: "tiny", rootfs: "ctstore:1", net0: "name=eth0,bridge=vmbr0" }
      }
    ],
    /is another guest now/
  ],
  [
    "replaced by a virtual machine of its vmid",
    [
      { _tag: "guest.destroy", vmid: 9999 },
      { _tag: "guest.create", type: "qemu", vmid: 9999, config: { name: "tiny", scsi0: "local:1" } }
    ],
    /qemu\/9999 has its number now/
  ]
]

describe("an op on a guest that was meanwhile", () => {
  for (const [what, changes, why] of meanwhile) {
    it.effect(`${what} is not done, and says so`, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        const agent = yield* host.boot()
        const op = yield* host.signed(agent, yield* destroyOf(host, tiny))
        for (const one of changes) yield* host.sim.change(change(one))
        yield* agent.fromHub(op)
        yield* minutes(6)
        expect(agent.kinds()).toEqual(["op.accepted", "op.failed"])
        expect(agent.messages().at(-1)).toMatch(why)
        expect(yield* host.writes).toEqual([])
      }).pipe(Effect.provide(onHost)))
  }

  it.effect("given another name only is not done either, as the operator is shown the name", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const shown = yield* destroyOf(host, tiny)
      const op = yield* host.signed(agent, { ...shown, expect: { ...shown.expect, name: "attic" } })
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.messages().at(-1)).toContain("has another name")
    }).pipe(Effect.provide(onHost)))
})

describe("an op on a guest that was moved to another node of the cluster", () => {
  const elsewhere = "demo-felhom-2"
  const inCluster = layerWith({ nodes: 3 })

  it.effect("is not done, and says which node has it now", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const destroy = yield* destroyOf(host, tiny)
      const op = yield* host.signed(agent, destroy)
      yield* host.sim.change(change({ _tag: "guest.moved", vmid: 9999, node: elsewhere }))
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.failed"])
      expect(agent.messages().at(-1)).toContain(`lxc/9999 is on the node ${elsewhere} now`)
      expect(agent.messages().at(-1)).toContain("it was not begun")
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(inCluster)))

  it.effect("does not wait for a lock that it has there", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* host.signed(agent, yield* destroyOf(host, tiny))
      yield* host.sim.change(change({ _tag: "guest.set", vmid: 9999, key: "lock", value: "backup" }))
      yield* host.sim.change(change({ _tag: "guest.moved", vmid: 9999, node: elsewhere }))
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.failed"])
      expect(agent.messages().at(-1)).toContain(`is on the node ${elsewhere} now`)
    }).pipe(Effect.provide(inCluster)))

  it.effect("while it waits for the migration says so in the end", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* host.signed(agent, yield* destroyOf(host, tiny))
      yield* host.sim.change(change({ _tag: "guest.set", vmid: 9999, key: "lock", value: "migrate" }))
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.messages().at(-1)).toContain("is locked (migrate)")
      yield* host.sim.change(change({ _tag: "guest.set", vmid: 9999, key: "lock", value: null }))
      yield* host.sim.change(change({ _tag: "guest.moved", vmid: 9999, node: elsewhere }))
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.failed"])
      expect(agent.messages().at(-1)).toContain(`is on the node ${elsewhere} now`)
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(inCluster)))
})

describe("an op on a host whose clock stands an hour back", () => {
  it.effect("is refused, and after the clock was set right it is done", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      const agent = yield* host.boot()
      yield* agent.run(Effect.flatMap(NonceStore, (store) => store.lastSeenTime))
      const now = yield* host.now
      const op = yield* snapshotDelete(host, tiny, "before")
      const early = { nbf: now - 7_200_000 }
      const [first, second] = [yield* host.signed(agent, op, early), yield* host.signed(agent, op, early)]
      yield* TestClock.setTime(now - 3_600_000)
      yield* agent.fromHub(first)
      expect(agent.messages().at(-1)).toContain("refused (clock-behind)")
      yield* TestClock.setTime(now)
      yield* agent.fromHub(second)
      yield* minutes(1)
      expect(agent.kinds().at(-1)).toBe("op.finished")
    }).pipe(Effect.provide(onHost)))
})

describe("a task that ends with WARNINGS: 1", () => {
  it.effect("did happen: the op is finished, and the warning is told", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.fromHub(yield* host.signed(agent, yield* destroyOf(host, tiny)))
      yield* minutes(2)
      expect(agent.kinds()).toEqual(["op.accepted", "op.started", "op.finished"])
      expect(agent.messages().at(-1)).toMatch(/done, with warnings.*could not remove a stale mount/)
      const gone = yield* Effect.provide(
        Effect.flip(Effect.flatMap(ProxmoxClient, (client) => client.guestConfig(tiny))),
        host.proxmox
      )
      expect(gone.reason).toBe("guest-not-found")
    }).pipe(
      Effect.provide(
        onHostWith({
          fault: { _tag: "task", outcome: "warn", message: "could not remove a stale mount" },
          type: "vzdestroy"
        })
      )
    ))
})

/** A virtual machine whose disk is on a storage that takes snapshots; the recorded one's is on one that does not. */
const withSnapshots = (host: Host) =>
  Effect.gen(function*() {
    const guest: GuestRef = { type: "qemu", vmid: Vmid.make(300) }
    const config = { name: "vm-with-snapshots", memory: "256", scsi0: "ctstore:1", net0: "virtio,bridge=vmbr0" }
    yield* host.sim.change(change({ _tag: "guest.create", type: "qemu", vmid: guest.vmid, config }))
    yield* host.sim.change({
      _tag: "acl.add",
      entry: {
        path: "/vms/300",
        type: "token",
        ugid: "felhom-agent@pve!agent",
        roleid: "FelhomAgent",
        propagate: 1
      }
    })
    yield* snapshotOf(host, guest, "before")
    yield* snapshotOf(host, guest, "after")
    return guest
  })

describe("a virtual machine", () => {
  for (const status of ["stopped", "running"] as const) {
    it.effect(`that is ${status} is rolled back, and a snapshot of it deleted`, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        const guest = yield* withSnapshots(host)
        if (status === "running") yield* host.sim.change({ _tag: "guest.status", vmid: guest.vmid, status })
        const agent = yield* host.boot()
        const { op: _, ...shown } = yield* snapshotDelete(host, guest, "before")
        yield* agent.fromHub(yield* host.signed(agent, { ...shown, op: "guest.rollback", params: anyway }))
        yield* minutes(2)
        expect(agent.kinds()).toEqual(["op.accepted", "op.started", "op.finished"])
        yield* agent.fromHub(yield* host.signed(agent, yield* snapshotDelete(host, guest, "after")))
        yield* minutes(2)
        expect(agent.kinds().slice(3)).toEqual(["op.accepted", "op.started", "op.finished"])
        expect(yield* host.writes).toEqual([
          "POST /nodes/demo-felhom/qemu/300/snapshot/before/rollback",
          "DELETE /nodes/demo-felhom/qemu/300/snapshot/after"
        ])
        expect((yield* host.shown(guest)).snapshots.map(({ name }) => name)).toEqual(["before"])
        const left = yield* Effect.provide(
          Effect.flatMap(ProxmoxClient, (client) => client.guestStatus(guest)),
          host.proxmox
        )
        expect(left.status).toBe("stopped")
      }).pipe(Effect.provide(onHost)))
  }
})

describe("the sizes of a guest's volumes", () => {
  it.effect("are what the storage says, and one that says another is another", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const shown = yield* destroyOf(host, tiny)
      const rows = yield* Effect.provide(
        Effect.flatMap(
          ProxmoxClient,
          (client) => client.storageContent(StorageId.make("ctstore"), { vmid: tiny.vmid })
        ),
        host.proxmox
      )
      const sizes = shown.expect.volumes.map(({ volid }) => ({
        volid,
        size: rows.rows.find((row) => row.volid === volid)?.size ?? null
      }))
      expect(sizes.every(({ size }) => typeof size === "number")).toBe(true)
      yield* agent.fromHub(yield* host.signed(agent, { ...shown, expect: { ...shown.expect, volumes: sizes } }))
      yield* minutes(2)
      expect(agent.kinds().at(-1)).toBe("op.finished")
    }).pipe(Effect.provide(onHost)))
})
