import { describe, it } from "@effect/vitest"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { Volid } from "@felhom/domain/ProxmoxId"
import { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { FaultRule } from "@felhom/pve-sim/Fault"
import { Effect, Schema, TestClock } from "effect"
import { expect } from "vitest"
import { type Host, layerWith, machine, makeHost, minutes, onHost, type Running, tiny } from "./SignedHost.ts"

const change = Schema.decodeUnknownSync(ConsoleChange)
const root = (host: Host, ...changes: ReadonlyArray<object>) =>
  Effect.forEach(changes, (one) => host.sim.change(change(one)), { discard: true })

const destroyOf = (host: Host, guest: GuestRef, acceptNoProvenBackup = false) =>
  Effect.map(host.shown(guest), (expect) => ({
    op: "guest.destroy",
    target: { guest },
    expect,
    params: { unreferencedDisks: false, acceptNoProvenBackup }
  }))

/** The destroy of the guest as it is now, and what the host says last of it. */
const tried = (host: Host, agent: Running, guest: GuestRef, accept = false) =>
  Effect.gen(function*() {
    yield* agent.fromHub(yield* host.signed(agent, yield* destroyOf(host, guest, accept)))
    yield* minutes(2)
    return agent.messages().at(-1) ?? ""
  })

const destroys = (host: Host) => Effect.map(host.writes, (all) => all.filter((call) => call.startsWith("DELETE")))

const Listing = Schema.parseJson(
  Schema.Struct({ data: Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown })) })
)

/** Every archive looks otherwise than it is. */
const archivesWith = (host: Host, changed: object): typeof host.sim.handle => (request) =>
  Effect.gen(function*() {
    const answer = yield* host.sim.handle(request)
    if (!(request.path.endsWith("/content") && request.query.includes("content=backup"))) return answer
    const { data } = yield* Schema.decode(Listing)(new TextDecoder().decode(answer.body))
    const rows = data.map((row) => ({ ...row, ...changed }))
    return { ...answer, body: new TextEncoder().encode(JSON.stringify({ data: rows })) }
  }).pipe(Effect.orDie)

const set = (guest: GuestRef, key: string, value: string | null) => ({
  _tag: "guest.set",
  vmid: guest.vmid,
  key,
  value
})

describe("a guest that is to be destroyed, by people who did not accept that it has no proven backup", () => {
  it.effect("stays while no storage has a backup of it, and is destroyed once one has", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      expect(yield* tried(host, agent, tiny)).toMatch(
        /op.failed .*it was not begun: no storage of this host has a backup of lxc\/9999; back it up, and sign it anew, or sign that/
      )
      expect(yield* destroys(host)).toEqual([])
      yield* host.archived(tiny)
      expect(yield* tried(host, agent, tiny)).toContain("op.finished")
      expect(yield* destroys(host)).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))

  it.effect("is destroyed where they accept it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      expect(yield* tried(host, agent, tiny, true)).toContain("op.finished")
    }).pipe(Effect.provide(onHost)))

  it.effect("stays when its backup is older than thirty days", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const { volid } = yield* host.archived(tiny)
      yield* TestClock.adjust("31 days")
      const said = yield* tried(host, agent, tiny)
      expect(said).toContain(`no backup holds lxc/9999 (${volid} is of 2027-01-15, more than 30 days ago)`)
      expect(yield* destroys(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("stays when the backup is of a guest that had its number before", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.archived(tiny)
      yield* root(
        host,
        { _tag: "guest.destroy", vmid: 9999 },
        {
          _tag: "guest.create",
          vmid: 9999,
          config: { hostname: "tiny", rootfs: "ctstore:1", net0: "name=eth0,bridge=vmbr0" }
        }
      )
      expect(yield* tried(host, agent, tiny)).toContain("it is of another guest that had the number")
      expect(yield* destroys(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("stays when a volume of it is left out of backups, or was added after the last one", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.archived(tiny)
      yield* root(host, set(tiny, "mp0", "ctstore:9999/vm-9999-disk-7.raw,mp=/srv"))
      expect(yield* tried(host, agent, tiny)).toMatch(/backups of lxc\/9999 leave out its volume \S+disk-7.raw \(mp0\)/)
      yield* root(host, set(tiny, "mp0", "ctstore:9999/vm-9999-disk-7.raw,mp=/srv,backup=1"))
      expect(yield* tried(host, agent, tiny)).toMatch(/it does not have the volume \S+disk-7.raw \(mp0\)/)
      yield* root(host, set(tiny, "mp0", null), set(tiny, "unused0", "ctstore:9999/vm-9999-disk-7.raw"))
      expect(yield* tried(host, agent, tiny)).toMatch(/leave out its volume \S+disk-7.raw \(unused0\)/)
      expect(yield* destroys(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("stays when it has no network card, as its backups can't be told from those of others", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* root(host, set(tiny, "net0", null))
      yield* host.archived(tiny)
      expect(yield* tried(host, agent, tiny)).toContain("has no network card by which a backup of it could be told")
    }).pipe(Effect.provide(onHost)))

  it.effect("stays when the backup can't be looked into, and it says why", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const { volid } = yield* host.archived(tiny)
      const said = yield* tried(host, agent, tiny)
      expect(said).toContain(`no backup holds lxc/9999 (${volid}: it can't be looked into: `)
      expect(yield* destroys(host)).toEqual([])
    }).pipe(Effect.provide(layerWith({
      faults: [
        Schema.decodeUnknownSync(FaultRule)({
          path: "/nodes/*/vzdump/extractconfig",
          times: 0,
          fault: { _tag: "answer", status: 500, message: "ERROR: archive contains no configuration file" }
        })
      ]
    }))))

  it.effect("stays when the storage with the backup is away, which is said", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.archived(tiny)
      const path = "/mnt/usb"
      yield* root(
        host,
        {
          _tag: "storage.set",
          storage: "usb",
          config: { type: "dir", path, content: "backup", is_mountpoint: "1" }
        },
        { _tag: "storage.set", storage: "local", config: { content: "iso,vztmpl" } }
      )
      expect(yield* tried(host, agent, tiny)).toMatch(
        /no storage of this host has a backup of lxc\/9999 \(usb could not be looked at: it is not active\)/
      )
    }).pipe(Effect.provide(onHost)))

  it.effect("stays when the storage can't be listed", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.archived(tiny)
      expect(yield* tried(host, agent, tiny)).toContain("local could not be looked at: ")
      expect(yield* destroys(host)).toEqual([])
    }).pipe(Effect.provide(layerWith({
      faults: [
        Schema.decodeUnknownSync(FaultRule)({
          path: "/nodes/*/storage/local/content",
          skip: 1,
          times: 0,
          fault: { _tag: "answer", status: 500, message: "storage 'local' is not online" }
        })
      ]
    }))))

  it.effect("that is a machine stays when a disk of it is left out, and goes by the backup with its SMBIOS uuid", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      expect(yield* tried(host, agent, machine)).toContain("no storage of this host has a backup of qemu/200")
      yield* root(host, set(machine, "scsi5", "local:200/vm-200-disk-5.qcow2,backup=0"))
      expect(yield* tried(host, agent, machine)).toMatch(/leave out its volume \S+disk-5.qcow2 \(scsi5\)/)
      yield* root(
        host,
        set(machine, "scsi5", null),
        set(machine, "smbios1", `uuid=${"1".repeat(8)}-2222-4333-8444-555555555555`)
      )
      yield* host.archived(machine)
      yield* root(host, set(machine, "smbios1", `uuid=${"2".repeat(8)}-2222-4333-8444-555555555555`))
      expect(yield* tried(host, agent, machine)).toContain("it is of another guest that had the number")
      expect(yield* destroys(host)).toEqual([])
      yield* root(host, set(machine, "smbios1", `uuid=${"1".repeat(8)}-2222-4333-8444-555555555555`))
      expect(yield* tried(host, agent, machine)).toContain("op.finished")
    }).pipe(Effect.provide(onHost)))
})

describe("other ops that lose what a backup could bring back", () => {
  it.effect("want one, too: a rollback, and the deletion of a volume", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* root(host, { _tag: "guest.snapshot", vmid: 9999, name: "before" })
      const shown = yield* host.shown(tiny)
      const rollback = {
        op: "guest.rollback",
        target: { guest: tiny, snapshot: "before" },
        expect: { ...shown, takenAt: shown.snapshots[0]?.takenAt ?? 0 },
        params: { acceptNoProvenBackup: false }
      }
      yield* agent.fromHub(yield* host.signed(agent, rollback))
      yield* minutes(2)
      expect(agent.messages().at(-1)).toContain("no storage of this host has a backup of lxc/9999")
      const volume = yield* host.volumeOf(tiny)
      const deletion = {
        op: "volume.delete",
        target: { volid: Volid.make(volume.volid) },
        expect: { size: volume.size ?? 0, createdAt: volume.ctime },
        params: { acceptNoProvenBackup: false }
      }
      yield* agent.fromHub(yield* host.signed(agent, deletion))
      yield* minutes(2)
      expect(agent.messages().at(-1)).toContain(`no storage of this host has a backup of ${volume.volid}`)
      expect(yield* host.writes).toEqual([])
      yield* host.archived(tiny)
      yield* agent.fromHub(yield* host.signed(agent, rollback))
      yield* minutes(2)
      expect(agent.messages().at(-1)).toContain("op.finished")
    }).pipe(Effect.provide(onHost)))

  it.effect("take no backup of before the volume was made, and none without it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const deletion = Effect.map(host.volumeOf(tiny), (volume) => ({
        op: "volume.delete",
        target: { volid: Volid.make(volume.volid) },
        expect: { size: volume.size ?? 0, createdAt: volume.ctime },
        params: { acceptNoProvenBackup: false }
      }))
      const said = Effect.gen(function*() {
        yield* agent.fromHub(yield* host.signed(agent, yield* deletion))
        yield* minutes(2)
        return agent.messages().at(-1)
      })
      yield* host.archived(tiny)
      yield* root(
        host,
        { _tag: "guest.destroy", vmid: 9999 },
        {
          _tag: "guest.create",
          vmid: 9999,
          config: { hostname: "tiny", rootfs: "ctstore:1", net0: "name=eth0,bridge=vmbr0" }
        }
      )
      expect(yield* said).toContain("it is older than the volume")
      yield* root(host, set(tiny, "rootfs", "local:9999/other.raw"))
      yield* host.archived(tiny)
      expect(yield* said).toContain("it does not have the volume")
      expect(yield* destroys(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))

  it.effect("count no archive that is still written, or that its backup server found to be broken", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* host.archived(tiny)
      for (const change of [{ size: 0 }, { verification: { state: "failed", upid: "UPID:pbs" } }]) {
        const again = yield* host.boot(agent.model.present(), {
          proxmox: host.proxmoxThrough(archivesWith(host, change))
        })
        expect(yield* tried(host, again, tiny)).toContain("no storage of this host has a backup of lxc/9999")
        yield* again.kill
      }
      expect(yield* destroys(host)).toEqual([])
    }).pipe(Effect.provide(onHost)))
})
