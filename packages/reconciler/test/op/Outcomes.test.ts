import { describe, it } from "@effect/vitest"
import { HubTime } from "@felhom/authz/HubTime"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { type GuestRef, Volid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Hold } from "@felhom/durable/Hold"
import { NonceStore } from "@felhom/durable/NonceStore"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect, Option } from "effect"
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

/** Has the op done, and gives what was told of it and sent for it. */
const doneOn = (host: Host, agent: Running, op: object) =>
  Effect.gen(function*() {
    const before = (yield* host.writes).length
    yield* agent.fromHub(yield* host.signed(agent, op))
    yield* minutes(2)
    return { kinds: agent.kinds(), last: agent.messages().at(-1) ?? "", sent: (yield* host.writes).slice(before) }
  })

const snapshotOf = (host: Host, guest: GuestRef, name: string) =>
  host.sim.change({ _tag: "guest.snapshot", vmid: guest.vmid, name, description: "" })

const finishedKinds = ["op.accepted", "op.started", "op.finished"]

describe("a signed op", () => {
  it.effect("is accepted, done once, and told to its end, under the hash of its payload", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      const agent = yield* host.boot()
      const op = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"))
      yield* agent.fromHub(op)
      yield* minutes(1)
      yield* agent.fromHub(op, op)
      yield* minutes(1)
      const hash = yield* host.hashOf(op)
      expect(agent.kinds()).toEqual(finishedKinds)
      expect(agent.events.map(({ subject }) => subject)).toEqual([hash, hash, hash])
      expect(agent.messages()[0]).toContain("signed by anna: delete the snapshot before of lxc/9999 (tiny)")
      expect(yield* host.writes).toEqual(["DELETE /nodes/demo-felhom/lxc/9999/snapshot/before"])
    }).pipe(Effect.provide(onHost)))

  it.effect("that the hub sends again after a restart is no news, and is not done again", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      const agent = yield* host.boot()
      const op = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"))
      yield* agent.fromHub(op)
      yield* minutes(1)
      yield* agent.kill
      const again = yield* host.boot(agent.model.present())
      yield* again.recover
      yield* again.fromHub(op)
      yield* minutes(1)
      expect(again.kinds()).toEqual([])
      expect(yield* host.writes).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("rolls a container back, and destroys it with what it owns", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      const agent = yield* host.boot()
      const { op: _, ...shown } = yield* snapshotDelete(host, tiny, "before")
      const rollback = { ...shown, op: "guest.rollback", params: { acceptNoProvenBackup: true } }
      expect(yield* doneOn(host, agent, rollback)).toMatchObject({
        kinds: finishedKinds,
        sent: ["POST /nodes/demo-felhom/lxc/9999/snapshot/before/rollback"]
      })
      const destroyed = yield* doneOn(host, agent, {
        op: "guest.destroy",
        target: { guest: tiny },
        expect: yield* host.shown(tiny),
        params: { unreferencedDisks: false, acceptNoProvenBackup: true }
      })
      expect(destroyed.sent).toEqual(["DELETE /nodes/demo-felhom/lxc/9999"])
      expect(destroyed.last).toContain("op.finished")
    }).pipe(Effect.provide(onHost)))

  it.effect("destroys a virtual machine", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const told = yield* doneOn(host, agent, {
        op: "guest.destroy",
        target: { guest: machine },
        expect: yield* host.shown(machine),
        params: { unreferencedDisks: false, acceptNoProvenBackup: true }
      })
      expect(told).toMatchObject({ kinds: finishedKinds, sent: ["DELETE /nodes/demo-felhom/qemu/200"] })
    }).pipe(Effect.provide(onHost)))

  for (const guest of [tiny, machine]) {
    it.effect(`stops ${guest.type} hard`, () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        yield* host.sim.change({ _tag: "guest.status", vmid: guest.vmid, status: "running" })
        const agent = yield* host.boot()
        const told = yield* doneOn(host, agent, {
          op: "guest.stop_hard",
          target: { guest },
          expect: yield* host.shown(guest)
        })
        expect(told).toMatchObject({
          kinds: finishedKinds,
          sent: [`POST /nodes/demo-felhom/${guest.type}/${guest.vmid}/status/stop`]
        })
      }).pipe(Effect.provide(onHost)))
  }

  it.effect("takes a backup's protection away, then deletes it; a protected one is refused by Proxmox, and told so", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const archive = yield* host.archived(onDirectory)
      const backup = { target: { volid: archive.volid }, expect: { size: archive.size, createdAt: archive.ctime } }
      yield* Effect.provide(
        Effect.flatMap(ProxmoxClient, (client) => client.annotateBackup(Volid.make(archive.volid), { protect: true })),
        host.proxmox
      )
      expect((yield* doneOn(host, agent, { op: "backup.delete", ...backup })).last).toContain("op.failed")
      const unprotected = yield* doneOn(host, agent, { op: "backup.unprotect", ...backup })
      expect(unprotected.last).toContain("op.finished")
      expect((yield* doneOn(host, agent, { op: "backup.delete", ...backup })).last).toContain("op.finished")
    }).pipe(Effect.provide(onHost)))

  it.effect("removes a storage", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.sim.change({
        _tag: "storage.set",
        storage: "nas",
        config: { type: "dir", path: "/mnt/nas", content: "backup" }
      })
      const agent = yield* host.boot()
      const told = yield* doneOn(host, agent, {
        op: "storage.remove",
        target: { storage: "nas" },
        expect: { type: "dir" }
      })
      expect(told).toMatchObject({ kinds: ["op.accepted", "op.finished"], sent: ["DELETE /storage/nas"] })
    }).pipe(Effect.provide(onHost)))

  it.effect("deletes one volume", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const volume = yield* host.volumeOf(tiny)
      const told = yield* doneOn(host, agent, {
        op: "volume.delete",
        target: { volid: volume.volid },
        expect: { size: volume.size, createdAt: null },
        params: { acceptNoProvenBackup: true }
      })
      expect(told).toMatchObject({
        kinds: finishedKinds,
        sent: [`DELETE /nodes/demo-felhom/storage/ctstore/content/${volume.volid}`]
      })
    }).pipe(Effect.provide(onHost)))

  it.effect("begins the record of nonces anew, which voids what was signed before", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      const agent = yield* host.boot()
      const old = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"))
      const epoch = agent.run(Effect.flatMap(NonceStore, (store) => store.hostEpoch))
      const before = yield* epoch
      const { last } = yield* doneOn(host, agent, { op: "store.reanchor", target: {}, expect: { storeSeq: 0 } })
      expect(last).toContain("op.finished")
      expect(yield* epoch).not.toBe(before)
      yield* agent.fromHub(old)
      expect(agent.messages().at(-1)).toContain("refused (other-epoch)")
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("releases the hold that was shown, and only that", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const held = agent.run(Effect.flatMap(Hold, (hold) => hold.current))
      const { since } = yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))
      const release = (of: number) => ({ op: "hold.release", target: {}, expect: { since: of } })
      expect((yield* doneOn(host, agent, release(since - 1))).last).toContain("another hold was set since")
      expect(Option.isSome(yield* held)).toBe(true)
      expect((yield* doneOn(host, agent, release(since))).last).toContain("op.finished")
      expect(yield* held).toEqual(Option.none())
      expect(agent.kinds()).toContain("hold.released")
    }).pipe(Effect.provide(onHost)))

  it.effect("is not done on what is not what the operator was shown, and has spent its nonce", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      const agent = yield* host.boot()
      const shown = yield* snapshotDelete(host, tiny, "before")
      const told = (changed: object) => doneOn(host, agent, { ...shown, expect: { ...shown.expect, ...changed } })
      const identity = { ...shown.expect.identity, hwaddrs: ["AA:AA:AA:AA:AA:AA"] }
      const cases: ReadonlyArray<readonly [object, string]> = [
        [{ identity }, "is another guest now"],
        [{ configHash: "0".repeat(64) }, "has been changed"],
        [{ name: "other" }, "has another name"],
        [{ volumes: [] }, "a volume that was not shown"],
        [{ volumes: shown.expect.volumes.map(({ volid }) => ({ volid, size: 17 })) }, "bytes and not 17"],
        [{ snapshots: [] }, "a snapshot that was not shown"],
        [{ snapshots: [...shown.expect.snapshots, { name: "gone", takenAt: null }] }, "no snapshot gone any more"],
        [{ takenAt: 1 }, "at another time than shown"]
      ]
      for (const [changed, why] of cases) {
        const { last, sent } = yield* told(changed)
        expect(last).toContain("op.failed")
        expect(last).toContain(why)
        expect(sent).toEqual([])
      }
      const spent = yield* agent.run(Effect.flatMap(NonceStore, (store) => store.size))
      expect(spent).toBe(cases.length)
    }).pipe(Effect.provide(onHost)))

  it.effect("finds a vmid that was given to another guest, and leaves that alone", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const expected = yield* host.shown(tiny)
      yield* host.sim.change({ _tag: "guest.destroy", vmid: tiny.vmid })
      yield* host.sim.change({
        _tag: "guest.create",
        type: "lxc",
        vmid: tiny.vmid,
        config: { hostname: "tiny", rootfs: "ctstore:1", net0: "name=eth0,bridge=vmbr0" }
      })
      const told = yield* doneOn(host, agent, {
        op: "guest.destroy",
        target: { guest: tiny },
        expect: expected,
        params: { unreferencedDisks: false, acceptNoProvenBackup: true }
      })
      expect(told.last).toContain("is another guest now")
      expect(told.sent).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("is not begun when its time ran out, a hold was set or its signer was revoked while it waited", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      for (const change of ["time", "hold", "revoked"] as const) {
        yield* snapshotOf(host, tiny, "first")
        yield* snapshotOf(host, tiny, "second")
        const agent = yield* host.boot()
        const ahead = yield* snapshotDelete(host, tiny, "first")
        yield* agent.fromHub(yield* host.signed(agent, ahead))
        const waits = yield* snapshotDelete(host, tiny, "second")
        const now = waits.expect
        const soon = change === "time" ? { exp: (yield* host.now) + 1 } : {}
        const op = yield* host.signed(agent, { ...waits, expect: now }, soon, [host.ben])
        yield* agent.fromHub(op)
        expect(agent.kinds()).not.toContain("op.refused")
        if (change === "hold") yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "wait")))
        if (change === "revoked") yield* host.revoke(host.ben)
        yield* minutes(2)
        const { time: late, hold, revoked } = { time: "(too-late)", hold: "(hold)", revoked: "(revoked)" }
        expect(agent.messages().at(-1)).toContain({ time: late, hold, revoked }[change])
        expect(agent.messages().at(-1)).toContain("it was not begun")
        yield* agent.kill
        yield* host.sim.change({ _tag: "guest.delsnapshot", vmid: tiny.vmid, name: "second" })
      }
      expect(yield* host.writes).toHaveLength(3)
    }).pipe(Effect.provide(onHost)))

  it.effect("from the console does not depend on what the hub's clock says", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      const agent = yield* host.boot()
      yield* agent.run(Effect.flatMap(HubTime, (hub) => hub.heard(EpochMillis.make(0))))
      yield* agent.fromConsole(yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before")))
      yield* minutes(1)
      expect(agent.kinds()).toEqual(finishedKinds)
    }).pipe(Effect.provide(onHost)))

  it.effect("that Proxmox says is done, and whose effect is not to be seen, has failed", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "before")
      let deleted = false
      const agent = yield* host.boot(new Map(), {
        proxmox: host.proxmoxThrough((request) => {
          const listing = request.method === "GET" && request.path.endsWith("/snapshot") && deleted
          if (request.method === "DELETE") deleted = true
          return listing
            ? Effect.zipRight(Effect.ignore(snapshotOf(host, tiny, "before")), host.sim.handle(request))
            : host.sim.handle(request)
        })
      })
      const told = yield* doneOn(host, agent, yield* snapshotDelete(host, tiny, "before"))
      expect(told.kinds).toEqual(["op.accepted", "op.started", "op.failed"])
      expect(told.last).toContain("Proxmox says it is done, but the snapshot is still there")
    }).pipe(Effect.provide(onHost)))

  it.effect("that the hub makes up can't lift the hold", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const { since } = yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))
      const release = { op: "hold.release", target: {}, expect: { since } }
      const own = yield* Effect.flatMap(Ed25519, (curve) => curve.generate)
      yield* agent.fromHub(yield* host.signed(agent, release, {}, []))
      yield* agent.fromHub(yield* host.signed(agent, release, {}, [own]))
      yield* minutes(1)
      expect(agent.kinds()).toEqual(["op.refused", "op.refused"])
      expect(Option.isSome(yield* agent.run(Effect.flatMap(Hold, (hold) => hold.current)))).toBe(true)
    }).pipe(Effect.provide(onHost)))

  it.effect("waits until the op before it on the same guest has ended; the stop of another guest does not", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* snapshotOf(host, tiny, "first")
      yield* snapshotOf(host, tiny, "second")
      yield* host.sim.change({ _tag: "guest.status", vmid: machine.vmid, status: "running" })
      const agent = yield* host.boot()
      const first = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "first"))
      const second = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "second"))
      const stop = { op: "guest.stop_hard", target: { guest: machine }, expect: yield* host.shown(machine) }
      yield* agent.fromHub(first, second, yield* host.signed(agent, stop))
      yield* minutes(0)
      expect([...yield* host.writes].sort()).toEqual([
        "DELETE /nodes/demo-felhom/lxc/9999/snapshot/first",
        "POST /nodes/demo-felhom/qemu/200/status/stop"
      ])
      yield* minutes(2)
      // The first one's end is not what the second one's operator was shown.
      expect(agent.messages().join("\n")).toContain("no snapshot first any more")
      expect(yield* host.writes).toHaveLength(2)
    }).pipe(Effect.provide(onHost)))
})
