import { describe, it } from "@effect/vitest"
import { SnapshotName, StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Array as Arr, Clock, Effect, TestClock } from "effect"
import { expect } from "vitest"
import { host, look, makeCounter, valueOf } from "./ObservedHost.ts"

const tiny = { type: "lxc", vmid: Vmid.make(9999) } as const

const content = "GET /nodes/demo-felhom/storage/local/content"

/** One cycle after the pause of a real one. */
const cycle = Effect.zipRight(TestClock.adjust("30 seconds"), look)

/** The recorded host, with as many more containers as make it twenty guests. */
const twentyGuests = Effect.gen(function*() {
  const sim = yield* PveSim
  for (const vmid of Arr.range(1001, 1016)) {
    yield* sim.change({
      _tag: "guest.create",
      type: "lxc",
      vmid,
      config: { arch: "amd64", hostname: `web-${vmid}`, memory: "128", ostype: "debian", unprivileged: "1" }
    })
  }
})

/** Requests of a cycle in which nothing changed: S backup storages, c changed guests, N guests. */
const budget = (parts: { readonly storages: number; readonly changed: number; readonly guests: number }): number =>
  5 + parts.storages + parts.changed + Math.ceil(parts.guests / 60)

describe("the requests that an observation costs its host", () => {
  it.effect("are four, and one for the guest whose turn it is", () =>
    Effect.gen(function*() {
      const requests = yield* makeCounter
      yield* look
      yield* requests
      yield* look
      expect((yield* requests).toSorted()).toEqual([
        "GET /cluster/resources",
        "GET /nodes/demo-felhom/lxc/101/config",
        "GET /nodes/demo-felhom/status",
        "GET /nodes/demo-felhom/storage",
        "GET /nodes/demo-felhom/tasks"
      ])
    }).pipe(Effect.provide(host())))

  it.effect(
    "stay within the budget for twenty guests over thirty-one cycles, and at seven in the dearest of them",
    () =>
      Effect.gen(function*() {
        yield* twentyGuests
        const requests = yield* makeCounter
        expect(valueOf((yield* look).inventory.guests)).toHaveLength(20)
        yield* requests
        const counts = yield* Effect.forEach(Arr.range(1, 31), () => Effect.zipRight(cycle, requests))
        const disks = "GET /nodes/demo-felhom/disks/list"
        const dearest = Math.max(...counts.map((asked) => asked.filter((one) => one !== disks).length))
        expect(dearest).toBeLessThanOrEqual(7)
        expect(dearest).toBeLessThanOrEqual(budget({ storages: 1, changed: 0, guests: 20 }))
        expect(Math.max(...counts.map((asked) => asked.length))).toBeLessThanOrEqual(
          budget({ storages: 1, changed: 0, guests: 20 })
        )
        // Each guest has had its turn, and the list of backups was read again by itself, though no task asked for it.
        const all = counts.flat()
        expect(new Set(all.filter((one) => one.endsWith("/config"))).size).toBe(20)
        expect(all.filter((one) => one === content)).toHaveLength(2)
      }).pipe(Effect.provide(host())),
    30_000
  )

  it.effect("go to each guest in its turn, also after the host's clock was a year ahead and was set back", () =>
    Effect.gen(function*() {
      const requests = yield* makeCounter
      const asked = Effect.map(requests, (all) => all.filter((one) => one.endsWith("/config")))
      const before = yield* Clock.currentTimeMillis
      yield* TestClock.adjust("365 days")
      yield* look
      yield* asked
      yield* TestClock.setTime(before)
      const turns = yield* Effect.forEach(Arr.range(1, 4), () => Effect.zipRight(cycle, asked))
      expect(new Set(turns.flat()).size).toBe(4)
    }).pipe(Effect.provide(host())))

  it.effect("grow by one for each guest that changed", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* twentyGuests
      const requests = yield* makeCounter
      yield* look
      yield* requests
      for (const vmid of [1001, 1002, 1003]) yield* sim.change({ _tag: "guest.set", vmid, key: "tags", value: "new" })
      yield* cycle
      expect((yield* requests).length).toBeLessThanOrEqual(budget({ storages: 1, changed: 3, guests: 20 }))
    }).pipe(Effect.provide(host())))
})

describe("what is kept between observations", () => {
  it.effect("has a new backup in it as soon as its task ended, whoever started it", () =>
    Effect.gen(function*() {
      const client = yield* ProxmoxClient
      expect(valueOf((yield* look).sections.backup)).toEqual([])
      yield* client.backUp(tiny, { storage: StorageId.make("local") })
      const looks = yield* Effect.forEach(Arr.range(1, 3), () => cycle)
      expect(valueOf(looks.at(-1)?.sections.backup ?? { state: "unavailable", reason: "no look" })).toMatchObject([
        { guest: 9999 }
      ])
    }).pipe(Effect.provide(host())))

  it.effect("has a snapshot in it that was taken, and not one that was removed", () =>
    Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const names = Effect.map(cycle, ({ inventory }) =>
        valueOf(inventory.guests).filter(({ vmid }) =>
          vmid === tiny.vmid
        ).flatMap(({ snapshots }) => valueOf(snapshots).map(({ name }) => name)))
      yield* look
      yield* client.createSnapshot(tiny, { name: SnapshotName.make("felhom1") })
      yield* client.createSnapshot({ type: "lxc", vmid: Vmid.make(102) }, { name: SnapshotName.make("other") })
      yield* names
      expect(yield* names).toEqual(["felhom1"])
      const sim = yield* PveSim
      yield* sim.change({ _tag: "guest.delsnapshot", vmid: tiny.vmid, name: "felhom1" })
      // Root removed it without a task, so it is seen when the guest's turn has come.
      const later = yield* Effect.forEach(Arr.range(1, 4), () =>
        names)
      expect(later.at(-1)).toEqual([])
    }).pipe(Effect.provide(host())))

  it.effect("is read again when a backup storage came or went", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const requests = yield* makeCounter
      yield* look
      yield* cycle
      yield* requests
      yield* sim.change({
        _tag: "storage.set",
        storage: "usb",
        config: { type: "dir", path: "/mnt/usb", content: "backup" }
      })
      yield* cycle
      expect(yield* requests).toContain("GET /nodes/demo-felhom/storage/usb/content")
    }).pipe(Effect.provide(host())))
})
