import { describe, it } from "@effect/vitest"
import { StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect } from "effect"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"
import { blue, keeping, red, rotation, started, TestHost, uuids } from "./SimulatedDisks.ts"

/** A host with the policy of two disks that take turns. */
const rotating = () => {
  const host = new TestHost()
  host.storage = rotation
  return host
}

const states = (set: { readonly members: ReadonlyArray<{ readonly name: string; readonly state: string }> }) =>
  Object.fromEntries(set.members.map(({ name, state }) => [name, state]))

describe("a set of disks that take turns", () => {
  it.effect("is mounted as soon as one of them is plugged in, under a storage that is a mount point", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, set, status, storage } = yield* keeping(host)
      expect(yield* set).toMatchObject({
        state: "missing",
        why: expect.stringContaining("no disk of it is plugged in; nothing is written")
      })
      // Nothing is mounted, so there is no storage yet: Proxmox would take none.
      expect(yield* storage("usb-backup")).toBeUndefined()
      yield* plug(blue)
      const mounted = yield* set
      expect(mounted).toMatchObject({ state: "ready", why: null })
      expect(states(mounted)).toEqual({ blue: "mounted", red: "away" })
      expect(yield* storage("usb-backup")).toMatchObject({
        type: "dir",
        path: "/mnt/felhom/backup",
        is_mountpoint: "yes",
        content: ["backup"]
      })
      expect(yield* status("usb-backup")).toMatchObject({ active: true })
      expect(host.told).toEqual([
        "disk.missing: set backup: no disk of it is plugged in; nothing is written to its storage meanwhile",
        "disk.mounted: disk blue of set backup is mounted at /mnt/felhom/backup",
        "storage.kept: the storage usb-backup (dir) was added"
      ])
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("is ejected by a person, is not mounted again before it was unplugged, and the next one takes its turn", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { keeper, plug, pull, set, status, storage } = yield* keeping(host)
      yield* plug(blue)
      yield* set
      expect(yield* keeper.eject("backup")).toContain("blue is ejected and may be unplugged")
      expect(yield* storage("usb-backup")).toMatchObject({ disable: "1" })
      yield* TestClock.adjust("10 minutes")
      const ejected = yield* set
      expect(ejected.state).toBe("ejected")
      expect(yield* status("usb-backup")).toMatchObject({ enabled: false })
      expect(states(ejected)).toEqual({ blue: "ejected", red: "away" })
      yield* pull(blue.path)
      expect(states(yield* set)).toEqual({ blue: "away", red: "away" })
      yield* plug(red)
      const next = yield* set
      expect(next.state).toBe("ready")
      expect(states(next)).toEqual({ blue: "away", red: "mounted" })
      expect(yield* status("usb-backup")).toMatchObject({ active: true, enabled: true })
      // Who was away for longer comes first when both are there.
      yield* keeper.eject("red")
      yield* pull(red.path)
      yield* set
      yield* plug(red)
      yield* plug(blue)
      expect(states(yield* set)).toEqual({ blue: "mounted", red: "present" })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("that is pulled out in the middle of a backup is missing, plainly, and its storage takes nothing meanwhile", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { keeper, plug, pull, set, status } = yield* keeping(host)
      yield* plug(blue)
      yield* set
      yield* pull(blue.path)
      expect(yield* set).toMatchObject({ state: "missing" })
      expect(yield* status("usb-backup")).toMatchObject({ active: false, enabled: true })
      expect(host.told.at(-1)).toBe(
        "disk.missing: set backup: no disk of it is plugged in; nothing is written to its storage meanwhile"
      )
      expect(yield* keeper.sightings).toMatchObject([{
        kind: "disk-set",
        name: "backup",
        state: "fail",
        storages: ["usb-backup"]
      }])
      yield* plug(blue)
      expect(yield* set).toMatchObject({ state: "ready" })
      expect(yield* status("usb-backup")).toMatchObject({ active: true })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("that is pulled out without a word makes room for the next one", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, pull, set, status } = yield* keeping(host)
      yield* plug(blue)
      yield* set
      yield* pull(blue.path)
      yield* plug(red)
      const next = yield* set
      expect(next.state).toBe("ready")
      expect(states(next)).toEqual({ blue: "away", red: "mounted" })
      expect(yield* status("usb-backup")).toMatchObject({ active: true })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("that comes back by itself is looked at before it counts, and a copy in its place is put out again", () => {
    const host = new TestHost()
    host.storage = { disks: { backup: { storage: "usb-backup", disks: { blue: { uuid: uuids.blue } } } } }
    return Effect.gen(function*() {
      const { plug, pull, set, status } = yield* keeping(host)
      yield* plug(blue)
      yield* set
      yield* pull(blue.path)
      yield* set
      // systemd mounts whatever has the UUID, as soon as it is plugged in.
      yield* plug({ ...blue, serial: "CLONE" })
      expect(yield* status("usb-backup")).toMatchObject({ active: true })
      expect(yield* set).toMatchObject({ state: "trouble", why: expect.stringContaining("not our mark") })
      expect(yield* status("usb-backup")).toMatchObject({ active: false })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("says which disk is due back, from when it was last there", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { keeper, plug, pull, set } = yield* keeping(host)
      yield* plug(red)
      yield* set
      yield* TestClock.adjust("20 days")
      expect(states(yield* set)).toEqual({ blue: "due-back", red: "mounted" })
      expect(host.told).toContain("disk.due: disk blue of set backup is due back")
      expect(yield* keeper.sightings).toMatchObject([{ state: "warn", reasons: ["blue is due back"] }])
      yield* keeper.eject("red")
      yield* pull(red.path)
      yield* TestClock.adjust("13 days")
      expect(states(yield* set)).toEqual({ blue: "due-back", red: "away" })
      expect(yield* keeper.sightings).toMatchObject([{
        state: "warn",
        reasons: expect.arrayContaining([
          "a person ejected its disk 13 d ago, and none was plugged in since"
        ])
      }])
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("is ejected only once nothing may work on it", () => {
    const host = new TestHost()
    host.storage = { disks: { backup: { ...rotation.disks.backup, content: ["backup", "rootdir"] } } }
    return Effect.gen(function*() {
      const { change, keeper, plug, set, storage } = yield* keeping(host)
      yield* plug(blue)
      yield* set
      expect((yield* Effect.flip(keeper.eject("red"))).message).toBe(
        "red is not the disk that is mounted: that is blue"
      )
      expect((yield* Effect.flip(keeper.eject("green"))).message).toContain("no set and no disk of the name green")
      yield* change({ _tag: "guest.set", vmid: 9999, key: "mp0", value: "usb-backup:1,mp=/data" })
      yield* change({ _tag: "guest.status", vmid: 9999, status: "running" })
      yield* TestClock.adjust("1 minute")
      expect((yield* Effect.flip(keeper.eject("backup"))).message).toBe(
        "blue is in use: lxc/9999 runs and has a volume on it. Eject it again once that has ended"
      )
      expect(yield* storage("usb-backup")).not.toMatchObject({ disable: "1" })
      yield* change({ _tag: "guest.status", vmid: 9999, status: "stopped" })
      yield* TestClock.adjust("1 minute")
      yield* keeper.eject("backup")
      expect((yield* Effect.flip(keeper.eject("backup"))).message).toContain("no disk of the set backup is mounted")
    }).pipe(Effect.provide(started(host)))
  })
})

describe("an ejection that goes wrong", () => {
  it.effect("leaves the disk in use, its storage switched on, and no word that it was ejected", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const root = yield* Privileged
      const busy = new PrivilegedError({
        verb: "mount",
        reason: "failed",
        detail: "/mnt/felhom/backup is still mounted"
      })
      const { keeper, plug, set, status } = yield* Effect.provideService(keeping(host), Privileged, {
        ...root,
        mount: (request) => request.action === "eject" ? busy : root.mount(request)
      })
      yield* plug(blue)
      yield* set
      expect((yield* Effect.flip(keeper.eject("backup"))).message).toContain("is still mounted")
      expect(yield* set).toMatchObject({ state: "ready" })
      expect(yield* status("usb-backup")).toMatchObject({ active: true, enabled: true })
      expect(new TextDecoder().decode(host.files.get("/state/disks.json"))).not.toContain("\"ejected\":true")
      expect(host.told.join()).not.toContain("disk.ejected")
    }).pipe(Effect.provide(started(host)))
  })
})

describe("a backup that runs while somebody wants the disk", () => {
  it.effect("keeps it: what is written to is not ejected, and its storage stays switched on", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { keeper, plug, pull, set, status } = yield* keeping(host)
      const client = yield* ProxmoxClient
      yield* plug(blue)
      yield* set
      yield* client.backUp({ type: "lxc", vmid: Vmid.make(9999) }, { storage: StorageId.make("usb-backup") })
      expect((yield* Effect.flip(keeper.eject("backup"))).message).toBe(
        "blue is in use: a task runs that may work on it: vzdump 9999. Eject it again once that has ended"
      )
      expect(yield* status("usb-backup")).toMatchObject({ active: true, enabled: true })
      // Pulled all the same, the rest of it goes nowhere: not to the root disk, either.
      yield* pull(blue.path)
      expect(yield* set).toMatchObject({ state: "missing" })
      expect(yield* status("usb-backup")).toMatchObject({ active: false })
      yield* TestClock.adjust("1 hour")
      yield* plug(blue)
      yield* set
      yield* keeper.eject("blue")
    }).pipe(Effect.provide(started(host)))
  })
})

describe("a disk that is not what it seems", () => {
  it.effect("is not mounted while another one has its UUID, and neither is that", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, pull, set } = yield* keeping(host)
      yield* plug(blue)
      yield* plug({ ...blue, path: "/dev/sdd", serial: "COPY" })
      const both = yield* set
      expect(both).toMatchObject({ state: "missing", why: expect.stringContaining("what is plugged in is refused") })
      expect(both.members[0]).toMatchObject({
        state: "refused",
        why: expect.stringContaining("/dev/sdb1 and /dev/sdd1 have its UUID")
      })
      yield* pull("/dev/sdd")
      expect(yield* set).toMatchObject({ state: "ready" })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("keeps its place when a copy of it is plugged in beside it", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, set } = yield* keeping(host)
      yield* plug(blue)
      yield* set
      yield* plug({ ...blue, path: "/dev/sdd", serial: "COPY" })
      const both = yield* set
      expect(both.state).toBe("ready")
      expect(both.members[0]).toMatchObject({ state: "mounted", why: expect.stringContaining("as a copied disk has") })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("has the right UUID and another serial number: it is a copy", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, set } = yield* keeping(host)
      yield* plug({ ...blue, serial: "OTHER" })
      expect((yield* set).members[0]).toMatchObject({
        state: "refused",
        why: "/dev/sdb1 has its UUID and the serial number OTHER, where BLUE1 is named: it is a copy"
      })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("has the right UUID and not our mark, and is taken only by a person's word", () => {
    const host = new TestHost()
    host.storage = { disks: { backup: { storage: "usb-backup", disks: { blue: { uuid: uuids.blue } } } } }
    return Effect.gen(function*() {
      const { keeper, plug, pull, set } = yield* keeping(host)
      yield* plug(blue)
      yield* set
      yield* pull(blue.path)
      yield* set
      yield* plug({ ...blue, serial: "CLONE" })
      expect(yield* set).toMatchObject({ state: "trouble", why: expect.stringContaining("and not our mark") })
      expect(host.told.at(-1)).toContain("storage.trouble: set backup: disk blue: ")
      // It is not tried again and again.
      const tried = host.events.length
      expect(yield* set).toMatchObject({ state: "trouble" })
      expect(host.events).toHaveLength(tried)
      expect(yield* keeper.adopt("blue")).toContain("is taken as it is when it is mounted next")
      expect(yield* set).toMatchObject({ state: "ready" })
      expect((yield* Effect.flip(keeper.adopt("backup"))).message).toContain("backup is a set")
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("that has no file system is refused in words, and never formatted", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { keeper, plug } = yield* keeping(host)
      yield* plug({ ...blue, uuid: null, fstype: null })
      const { devices, kept } = yield* keeper.now
      expect(kept.sets[0]?.state).toBe("missing")
      expect(devices[0]?.refusal).toContain("nothing is ever formatted from here")
    }).pipe(Effect.provide(started(host)))
  })
})

describe("what stands in the way of looking after disks", () => {
  it.effect("a full root disk: nothing is mounted that could not be remembered", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, set } = yield* keeping(host)
      host.isFull = true
      yield* plug(blue)
      expect(yield* set).toMatchObject({ state: "trouble", why: expect.stringContaining("ENOSPC") })
      host.isFull = false
      expect(yield* set).toMatchObject({ state: "ready" })
      host.isFull = true
      const { keeper } = yield* keeping(host)
      expect((yield* Effect.flip(keeper.eject("backup"))).message).toContain("ENOSPC")
      host.isFull = false
      expect(yield* set).toMatchObject({ state: "ready" })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("a hold: it is looked at, and nothing is begun", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, set, storage } = yield* keeping(host)
      host.isHeld = true
      yield* plug(blue)
      expect(yield* set).toMatchObject({ state: "trouble", why: expect.stringContaining("the host is held") })
      host.isHeld = false
      expect(yield* set).toMatchObject({ state: "ready" })
      expect(yield* storage("usb-backup")).toBeDefined()
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("a storage of that name that somebody else set up elsewhere is left alone and told", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { change, plug, set, storage } = yield* keeping(host)
      yield* change({
        _tag: "storage.set",
        storage: "usb-backup",
        config: { type: "dir", path: "/root/backups", content: "backup" }
      })
      yield* plug(blue)
      expect(yield* set).toMatchObject({
        state: "trouble",
        why: expect.stringContaining("has path /root/backups, and should have /mnt/felhom/backup")
      })
      expect(yield* storage("usb-backup")).toMatchObject({ path: "/root/backups" })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("a storage that is no mount point is made one, whoever made it", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { change, plug, pull, set, status, storage } = yield* keeping(host)
      yield* change({
        _tag: "storage.set",
        storage: "usb-backup",
        config: { type: "dir", path: "/mnt/felhom/backup", content: "backup,iso" }
      })
      yield* plug(blue)
      expect(yield* set).toMatchObject({ state: "ready" })
      expect(yield* storage("usb-backup")).toMatchObject({ is_mountpoint: "yes", content: ["backup"] })
      yield* pull(blue.path)
      expect(yield* status("usb-backup")).toMatchObject({ active: false })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("on a cluster only the host that writes its storages adds one", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const { plug, set } = yield* keeping(host)
      yield* plug(blue)
      expect(yield* set).toMatchObject({ state: "trouble", why: expect.stringContaining("storage.writesCluster") })
      host.storage = { ...rotation, writesCluster: true }
      expect(yield* set).toMatchObject({ state: "ready" })
    }).pipe(Effect.provide(started(host, { nodes: 3 })))
  })

  it.effect("a root side that answers no more: what was known of the set is not taken back by it", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const root = yield* Privileged
      const gone = new PrivilegedError({ verb: "mount", reason: "unavailable", detail: "connect ENOENT" })
      let isGone = false
      const { keeper, plug, set } = yield* Effect.provideService(keeping(host), Privileged, {
        ...root,
        mount: (request) => isGone ? gone : root.mount(request)
      })
      yield* plug(blue)
      yield* set
      isGone = true
      expect((yield* Effect.flip(keeper.now)).message).toContain("connect ENOENT")
      expect(yield* keeper.section).toMatchObject({ state: "unavailable", reason: expect.stringContaining("ENOENT") })
      expect(yield* keeper.sightings).toMatchObject([{ name: "backup", state: "unknown" }])
      isGone = false
      expect(yield* set).toMatchObject({ state: "ready" })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("a UUID that root typed in capitals: it is the same", () => {
    const host = new TestHost()
    const typed = { blue: { uuid: uuids.blue.toUpperCase() } }
    host.storage = { disks: { backup: { storage: "usb-backup", disks: typed } } }
    return Effect.gen(function*() {
      const { plug, set } = yield* keeping(host)
      yield* plug(blue)
      expect(yield* set).toMatchObject({ state: "ready" })
    }).pipe(Effect.provide(started(host)))
  })

  it.effect("a daemon that starts anew looks at the mark of what is mounted before it counts on it", () => {
    const host = rotating()
    return Effect.gen(function*() {
      const first = yield* keeping(host)
      yield* first.plug(blue)
      yield* first.set
      const told = host.events.length
      const second = yield* keeping(host)
      expect(yield* second.set).toMatchObject({ state: "ready" })
      expect(host.told.slice(told)).toEqual([])
    }).pipe(Effect.provide(started(host)))
  })
})
