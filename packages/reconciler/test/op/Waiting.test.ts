import { describe, it } from "@effect/vitest"
import { StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { Hold } from "@felhom/durable/Hold"
import { NonceStore } from "@felhom/durable/NonceStore"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { Executor } from "@felhom/reconciler/op/Executor"
import { Effect, Schema, TestClock } from "effect"
import { expect } from "vitest"
import {
  type Host,
  machine,
  makeHost,
  minutes,
  onDirectory,
  onHost,
  type Running,
  snapshotDelete,
  tiny
} from "./SignedHost.ts"

const change = Schema.decodeUnknownSync(ConsoleChange)

const onProxmox = <A, E>(
  host: Host,
  use: (client: typeof ProxmoxClient.ProxmoxClient.Service) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.provide(Effect.flatMap(ProxmoxClient.ProxmoxClient, use), host.proxmox)

/** Time in steps that leave every fiber its turn. */
const pass = (minutes: number) => Effect.repeatN(TestClock.adjust("5 minutes"), minutes / 5 - 1)

/** A backup of the guest that works for so many minutes. */
const slowBackup = (host: Host, guest: GuestRef, minutes = 20) =>
  Effect.gen(function*() {
    yield* host.sim.change(change({ _tag: "storage.size", storage: "local", total: 1e15, avail: 1e15 }))
    yield* host.sim.change(change({ _tag: "guest.data", vmid: guest.vmid, bytes: minutes * 60 * 200e6 }))
    const upid = yield* onProxmox(host, (client) => client.backUp(guest, { storage: StorageId.make("local") }))
    yield* TestClock.adjust("10 seconds")
    return upid
  })

const lock = (host: Host, guest: GuestRef, value: string | null) =>
  host.sim.change(change({ _tag: "guest.set", vmid: guest.vmid, key: "lock", value }))

const snapshot = (host: Host, guest: GuestRef, name: string) =>
  host.sim.change(change({ _tag: "guest.snapshot", vmid: guest.vmid, name }))

const destroyOf = (host: Host, guest: GuestRef) =>
  Effect.map(host.shown(guest), (expect) => ({
    op: "guest.destroy",
    target: { guest },
    expect,
    params: { unreferencedDisks: false, acceptNoProvenBackup: true }
  }))

const spent = (agent: Running, nonce: string) => agent.run(Effect.flatMap(NonceStore, (store) => store.isSpent(nonce)))

const waitsFor = (agent: Running) =>
  Effect.map(agent.run(Effect.flatMap(Executor, (executor) => executor.waiting)), (waiting) => [...waiting.values()])

/** All that changes anything, but for the backups and restores that the test itself begins. */
const writes = (host: Host) => Effect.map(host.writes, (all) => all.filter((call) => !/\/vzdump$|\/lxc$/.test(call)))

const day = { nonce: "a".repeat(32) }

/** An op good for so long, with a nonce that the test knows. */
const good = (host: Host, agent: Running, op: object, hours: number) =>
  Effect.flatMap(host.now, (now) => host.signed(agent, op, { ...day, exp: now + hours * 3_600_000 }))

describe("an op whose guest has a backup of three hours", () => {
  it.effect("waits for it with its nonce unspent, says for what and until when, and is done after it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      let begun: Effect.Effect<unknown> = Effect.void
      const agent = yield* host.boot(new Map(), {
        proxmox: host.proxmoxThrough((request) =>
          Effect.zipRight(request.method === "DELETE" ? begun : Effect.void, host.sim.handle(request))
        )
      })
      const seen: Array<ReadonlyArray<string>> = []
      begun = Effect.map(waitsFor(agent), (waiting) => seen.push(waiting))
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 12)
      const upid = yield* slowBackup(host, tiny, 180)
      yield* agent.fromHub(op)
      yield* pass(120)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting"])
      const told = agent.messages().at(-1)
      expect(told).toContain(`waits: destroy`)
      expect(told).toMatch(/lxc\/9999 is locked \(backup\); vzdump runs since 2027-01-15T08:00:00.000Z: UPID:/)
      expect(told).toContain(upid)
      expect(told).toContain("it waits, until 2027-01-15T20:00:00.000Z at most")
      expect((yield* waitsFor(agent))[0]).toContain("is locked (backup)")
      expect(yield* spent(agent, day.nonce)).toBe(false)
      expect(yield* writes(host)).toEqual([])
      yield* pass(120)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.started", "op.finished"])
      expect(seen).toEqual([[]])
      expect(yield* spent(agent, day.nonce)).toBe(true)
      expect(yield* writes(host)).toEqual(["DELETE /nodes/demo-felhom/lxc/9999"])
    }).pipe(Effect.provide(onHost)))

  it.effect("looks often at first and rarely later", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 12)
      yield* slowBackup(host, tiny)
      const looks = Effect.map(host.sim.requests, (all) =>
        all.find(({ path }) => path.endsWith("/cluster/resources"))?.count ?? 0)
      const before = yield* looks
      yield* agent.fromHub(op)
      yield* minutes(1)
      const early = (yield* looks) - before
      yield* minutes(10)
      expect([early, (yield* looks) - before - early]).toEqual([5, 20])
    }).pipe(Effect.provide(onHost)))

  it.effect("is held against the host once more after it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 12)
      yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* pass(10)
      yield* host.sim.change(change({ _tag: "guest.set", vmid: tiny.vmid, key: "hostname", value: "other" }))
      yield* pass(20)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.failed"])
      expect(agent.messages().at(-1)).toContain("the configuration of lxc/9999 has been changed")
      expect(yield* writes(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("expires while it waits: nothing is spent, nothing sent, and it says what it waited for", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 0.25)
      yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* pass(30)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.failed"])
      expect(agent.messages().at(-1)).toMatch(
        /it was not begun: it expired at 2027-01-15T08:15:00.000Z; it had waited since 2027-01-15T08:00:10.000Z: lxc\/9999 is locked \(backup\)/
      )
      expect(yield* waitsFor(agent)).toEqual([])
      expect(yield* spent(agent, day.nonce)).toBe(false)
      expect(yield* writes(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("is stopped by a hold that is set while it waits", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 12)
      yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* pass(10)
      yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.failed"])
      expect(agent.messages().at(-1)).toMatch(/the host is held since .*: moving house; it had waited since/)
      yield* pass(20)
      expect(yield* spent(agent, day.nonce)).toBe(false)
      expect(yield* writes(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("waits on after a restart, and is done once", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 12)
      yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* pass(10)
      yield* agent.kill
      const again = yield* host.boot(agent.model.present())
      yield* again.recover
      yield* again.fromHub(op)
      yield* pass(10)
      expect(again.kinds()).toEqual(["op.waiting"])
      yield* pass(20)
      expect(again.kinds()).toEqual(["op.waiting", "op.started", "op.finished"])
      expect(yield* writes(host)).toEqual(["DELETE /nodes/demo-felhom/lxc/9999"])
    }).pipe(Effect.provide(onHost)))

  it.effect("keeps no other guest's op waiting, though both load the host", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const destroy = yield* good(host, agent, yield* destroyOf(host, onDirectory), 12)
      yield* snapshot(host, tiny, "before")
      const other = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"))
      yield* slowBackup(host, onDirectory)
      yield* agent.fromHub(destroy, other)
      yield* minutes(2)
      const [first, second] = [yield* host.hashOf(destroy), yield* host.hashOf(other)]
      const kindsOf = (op: string) => agent.events.flatMap(({ kind, subject }) => (subject === op ? [kind] : []))
      expect(kindsOf(first)).toEqual(["op.accepted", "op.waiting"])
      expect(kindsOf(second)).toEqual(["op.accepted", "op.started", "op.finished"])
      expect(yield* writes(host)).toEqual(["DELETE /nodes/demo-felhom/lxc/9999/snapshot/before"])
      expect(yield* waitsFor(agent)).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("goes on waiting where Proxmox gives no answer for a while", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      let away = false
      const agent = yield* host.boot(new Map(), {
        proxmox: host.proxmoxThrough((request) =>
          away
            ? Effect.succeed({ status: 595, reason: "away", headers: [], body: new Uint8Array() })
            : host.sim.handle(request)
        )
      })
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 12)
      yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* minutes(2)
      away = true
      yield* minutes(5)
      away = false
      yield* pass(20)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.started", "op.finished"])
    }).pipe(Effect.provide(onHost)))

  it.effect("that is a hard stop waits as well, as Proxmox refuses that, too", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
      const op = yield* good(
        host,
        agent,
        { op: "guest.stop_hard", target: { guest: tiny }, expect: yield* host.shown(tiny) },
        12
      )
      yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* pass(10)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting"])
      yield* pass(20)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.started", "op.finished"])
    }).pipe(Effect.provide(onHost)))
})

describe("a lock that nobody holds any more", () => {
  for (const [guest, unlock] of [[tiny, "pct unlock 9999"], [machine, "qm unlock 200"]] as const) {
    it.effect(`is told as that, with ${unlock}, and the op waits until it is gone`, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        const agent = yield* host.boot()
        yield* host.sim.change({ _tag: "guest.status", vmid: guest.vmid, status: "running" })
        const op = yield* good(
          host,
          agent,
          { op: "guest.stop_hard", target: { guest }, expect: yield* host.shown(guest) },
          12
        )
        yield* lock(host, guest, "backup")
        yield* agent.fromHub(op)
        yield* pass(10)
        expect(agent.kinds()).toEqual(["op.accepted", "op.waiting"])
        expect(agent.messages().at(-1)).toContain(
          `is locked (backup), and no task of it runs: if nobody works on it, the lock was left behind, and root clears it on ` +
            `the host with ${unlock}`
        )
        yield* lock(host, guest, null)
        yield* minutes(2)
        expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.started", "op.finished"])
      }).pipe(Effect.provide(onHost)))
  }

  it.effect("is told when the backup that had it is killed", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const op = yield* good(host, agent, yield* destroyOf(host, tiny), 12)
      const upid = yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* minutes(2)
      yield* host.sim.change(change({ _tag: "task.kill", upid }))
      yield* minutes(2)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.waiting"])
      expect(agent.messages().at(-1)).toContain("the lock was left behind")
    }).pipe(Effect.provide(onHost)))

  it.effect("tells of a lock that comes and goes no more than twenty times", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.fromHub(yield* good(host, agent, yield* destroyOf(host, tiny), 12))
      for (let times = 0; times < 40; times++) {
        yield* lock(host, tiny, times % 2 === 0 ? "backup" : "disk")
        yield* minutes(1)
      }
      expect(agent.kinds().filter((kind) => kind === "op.waiting")).toHaveLength(20)
    }).pipe(Effect.provide(onHost)))
})

describe("a hard stop", () => {
  it.effect("does not wait for a shutdown that hangs, which is what it is there for", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
      yield* host.sim.change(change({ _tag: "guest.stubborn", vmid: tiny.vmid, stubborn: true }))
      const op = { op: "guest.stop_hard", target: { guest: tiny }, expect: yield* host.shown(tiny) }
      yield* onProxmox(host, (client) => client.shutdown(tiny, { timeoutSeconds: 5 }))
      yield* agent.fromHub(yield* host.signed(agent, op))
      yield* minutes(2)
      expect(agent.kinds()).toEqual(["op.accepted", "op.started", "op.finished"])
    }).pipe(Effect.provide(onHost)))

  it.effect("does not mind that the guest's files are mounted, as Proxmox does not", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
      const op = { op: "guest.stop_hard", target: { guest: tiny }, expect: yield* host.shown(tiny) }
      yield* lock(host, tiny, "mounted")
      yield* agent.fromHub(yield* host.signed(agent, op))
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.accepted", "op.started", "op.finished"])
    }).pipe(Effect.provide(onHost)))
})

describe("an op on a guest that is being shut down", () => {
  it.effect("waits for the task that holds no lock but the file's", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* snapshot(host, tiny, "before")
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
      yield* host.sim.change(change({ _tag: "guest.stubborn", vmid: tiny.vmid, stubborn: true }))
      const op = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"))
      yield* onProxmox(host, (client) => client.shutdown(tiny, { timeoutSeconds: 120 }))
      yield* agent.fromHub(op)
      yield* minutes(1)
      expect(agent.messages().at(-1)).toMatch(/a task of guest 9999 runs since .*: vzshutdown UPID:/)
      yield* minutes(3)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting", "op.started", "op.finished"])
    }).pipe(Effect.provide(onHost)))
})

describe("what takes an archive or a volume away", () => {
  it.effect("waits for the restore that reads the archive, and not for another", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.sim.change(change({ _tag: "storage.size", storage: "local", total: 1e15, avail: 1e15 }))
      yield* host.sim.change(change({ _tag: "storage.size", storage: "ctstore", total: 1e15, avail: 1e15 }))
      yield* host.sim.change(change({ _tag: "guest.data", vmid: tiny.vmid, bytes: 4 * 60 * 200e6 }))
      const [read, other] = [yield* host.archived(tiny), yield* host.archived(onDirectory)]
      const deleteOf = ({ ctime, size, volid }: typeof read) => ({
        op: "backup.delete",
        target: { volid },
        expect: { size: size ?? 0, createdAt: ctime }
      })
      const [first, second] = [
        yield* host.signed(agent, deleteOf(other)),
        yield* host.signed(agent, deleteOf(read))
      ]
      const restore = yield* onProxmox(host, (client) =>
        client.restoreContainer(Vmid.make(500), {
          archive: Volid.make(read.volid),
          storage: StorageId.make("ctstore"),
          root: { storage: StorageId.make("ctstore"), gib: 100 },
          network: { kind: "archived" }
        }))
      yield* TestClock.adjust("10 seconds")
      yield* agent.fromHub(first, second)
      yield* minutes(1)
      const kindsOf = (op: string) => agent.events.flatMap(({ kind, subject }) => (subject === op ? [kind] : []))
      expect(kindsOf(yield* host.hashOf(first)).at(-1)).toBe("op.finished")
      expect(kindsOf(yield* host.hashOf(second))).toEqual(["op.accepted", "op.waiting"])
      expect(agent.messages().at(-1)).toMatch(/guest 500 is being restored from it since .*: vzrestore UPID:/)
      yield* minutes(6)
      expect(kindsOf(yield* host.hashOf(second)).at(-1)).toBe("op.finished")
      expect((yield* onProxmox(host, (client) => client.taskStatus(restore))).exitstatus).toBe("OK")
    }).pipe(Effect.provide(onHost)))

  it.effect("waits for the guest whose volume it is", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const row = yield* host.volumeOf(tiny)
      const op = yield* good(host, agent, {
        op: "volume.delete",
        target: { volid: row.volid },
        expect: { size: row.size ?? 0, createdAt: row.ctime },
        params: { acceptNoProvenBackup: true }
      }, 12)
      yield* slowBackup(host, tiny)
      yield* agent.fromHub(op)
      yield* pass(10)
      expect(agent.kinds()).toEqual(["op.accepted", "op.waiting"])
      yield* pass(20)
      expect(agent.kinds().at(-1)).toBe("op.finished")
    }).pipe(Effect.provide(onHost)))
})
