import { describe, it } from "@effect/vitest"
import { NodeName, StorageId, TokenId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import type { GuestRow } from "@felhom/proxmox/GuestRows"
import { type ProxmoxApi, ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { lookAtHost } from "@felhom/reconciler/plan/HostSight"
import { identityText } from "@felhom/reconciler/plan/Matching"
import { plan } from "@felhom/reconciler/plan/Planner"
import { Effect, Fiber, Layer, Option, TestClock } from "effect"
import { expect } from "vitest"
import { host } from "../ObservedHost.ts"
import { keyNumber, openPolicy, stateOf, told, wishFor } from "./ModelHost.ts"

/** Lets the simulated host's time pass until it answers. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* Effect.repeat(TestClock.adjust("100 millis"), { until: () => Effect.map(Fiber.poll(fiber), Option.isSome) })
    return yield* Fiber.join(fiber)
  })

const nothing = { archives: [], made: [] }

const row: GuestRow = {
  vmid: Vmid.make(101),
  name: "web",
  status: "running",
  template: false,
  lock: null,
  tags: [],
  uptime: 1,
  cpu: 0,
  mem: 1024,
  maxmem: 2048,
  disk: 0,
  maxdisk: 0,
  netin: 0,
  netout: 0,
  cpus: 1,
  pid: 1,
  qmpstatus: null
}

/** A host that answers just this. */
const answering = (client: Partial<ProxmoxApi>) =>
  Layer.mock(ProxmoxClient, {
    node: NodeName.make("pve"),
    tokenId: TokenId.make("felhom-agent@pve!agent"),
    guests: (type) => Effect.succeed({ rows: type === "lxc" ? [row] : [], unreadable: [] }),
    clusterResources: Effect.succeed({ guests: [], nodes: [], storages: [], unreadable: [] }),
    storages: Effect.succeed({ rows: [], unreadable: [] }),
    ...client
  })

describe("what a plan can't see", () => {
  it.effect("ends it where Proxmox lists a guest that can't be read at all", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(lookAtHost(nothing))
      expect(error).toMatchObject({ _tag: "SightError", reason: "rows" })
      expect(error.message).toContain("vmid 102: status: odd")
    }).pipe(Effect.provide(answering({
      guests: () => Effect.succeed({ rows: [row], unreadable: [{ row: "vmid 102", problem: "status: odd" }] })
    }))))

  it.effect("is named: a guest that was changed while it was read", () =>
    Effect.gen(function*() {
      const { guests, unread } = yield* lookAtHost(nothing)
      expect(guests).toEqual([])
      expect(unread).toEqual([{
        ref: { type: "lxc", vmid: 101 },
        name: "web",
        why: "it was changed while it was read"
      }])
    }).pipe(Effect.provide(answering({
      guestConfig: (_, options) => Effect.succeed({ digest: options === undefined ? "a" : "b" })
    }))))

  it.effect("is named: a guest whose configuration is not answered, and guests of other nodes", () =>
    Effect.gen(function*() {
      const { elsewhere, unread } = yield* lookAtHost(nothing)
      expect(unread[0]?.why).toContain("GET /nodes/pve/lxc/101/config")
      expect(elsewhere).toEqual([{ ref: { type: "qemu", vmid: 300 }, node: "pve2" }])
    }).pipe(Effect.provide(answering({
      clusterResources: Effect.succeed({
        guests: [{ ...row, type: "qemu", vmid: Vmid.make(300), node: "pve2", maxcpu: 1, pool: null, hastate: null }],
        nodes: [],
        storages: [],
        unreadable: []
      }),
      guestConfig: () =>
        new ProxmoxError({
          reason: "other",
          method: "GET",
          path: "/nodes/pve/lxc/101/config",
          host: "pve:8006",
          tokenId: "felhom-agent@pve!agent",
          status: 500,
          detail: "no",
          errors: {}
        })
    }))))
})

describe("what a plan sees of a host", () => {
  it.effect("is every guest of the node, with what it has and what is in force", () =>
    Effect.gen(function*() {
      const seen = yield* passing(lookAtHost(nothing))
      expect(seen.guests.map(({ name, ref, status }) => [ref.type, ref.vmid, name, status])).toEqual([
        ["lxc", 101, "on-dir", "stopped"],
        ["lxc", 102, "future", "stopped"],
        ["lxc", 9999, "tiny", "stopped"],
        ["qemu", 200, "vm-sample", "stopped"]
      ])
      expect(seen.unread).toEqual([])
      expect(seen.storages.map(({ storage }) => storage).toSorted()).toEqual(["ctstore", "local"])
      expect(seen.guests.every(({ current, merged }) => current["digest"] === merged["digest"])).toBe(true)
    }).pipe(Effect.provide(host())))

  it.effect("changes nothing, and takes four requests and one for each stopped guest", () =>
    Effect.gen(function*() {
      yield* passing(lookAtHost(nothing))
      const all = yield* (yield* PveSim).requests
      expect(all.every(({ method }) => method === "GET")).toBe(true)
      expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(4 + 4)
    }).pipe(Effect.provide(host())))

  it.effect("is enough to plan by: what the plan writes is no difference at the next look", () =>
    Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const before = yield* passing(lookAtHost(nothing))
      const tiny = before.guests.find(({ ref }) => ref.vmid === 9999)
      if (tiny === undefined) throw new Error("the recorded host has it")
      const state = stateOf(wishFor(tiny, { description: "two\nlines: 100 %", tags: ["b", "a"], cores: 2, memory: 96 }))
      const { steps } = plan(state, before, openPolicy)
      expect(told({ steps, notes: [] })).toHaveLength(4)
      for (const step of steps) {
        if (step.class !== "benign" || step.action.kind !== "config.set") throw new Error("all of them set a key")
        yield* passing(client.setConfig(tiny.ref, { set: { [step.action.key]: step.action.text } }))
      }
      expect(plan(state, yield* passing(lookAtHost(nothing)), openPolicy)).toEqual({ steps: [], notes: [] })
    }).pipe(Effect.provide(host())))

  it.effect("has the key of a guest that the host made, as long as it is what it was", () =>
    Effect.gen(function*() {
      const before = (yield* passing(lookAtHost(nothing))).guests.find(({ ref }) => ref.vmid === 9999)
      if (before === undefined) throw new Error("the recorded host has it")
      const key = keyNumber(1)
      const identity = identityText("lxc", before.identity)
      const keyOf = (record: string) =>
        Effect.map(
          passing(lookAtHost({ archives: [], made: [{ key, ref: before.ref, identity: record }] })),
          ({ guests, made }) => [guests.find(({ ref }) => ref.vmid === 9999)?.identity.key, ...made]
        )
      expect(yield* keyOf(identity)).toEqual([key, key])
      expect(yield* keyOf("another")).toEqual([null, key])
    }).pipe(Effect.provide(host())))

  it.effect("is also who the HA manager has, and what waits for a running guest's next start", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* sim.change({ _tag: "guest.status", vmid: 9999, status: "running" })
      yield* sim.change({ _tag: "guest.ha", vmid: 101, state: "stopped" })
      yield* passing(
        (yield* ProxmoxClient).setConfig({ type: "lxc", vmid: Vmid.make(9999) }, { set: { nameserver: "1.1.1.1" } })
      )
      yield* TestClock.adjust("1 minute")
      const { guests } = yield* passing(lookAtHost(nothing))
      const tiny = guests.find(({ ref }) => ref.vmid === 9999)
      expect(guests.map(({ ha }) => ha)).toEqual(["stopped", null, null, null])
      expect([tiny?.status, tiny?.merged["nameserver"], tiny?.current["nameserver"]]).toEqual([
        "running",
        "1.1.1.1",
        undefined
      ])
    }).pipe(Effect.provide(host())))

  it.effect("has the images that there are; a storage that is not there has none", () =>
    Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const local = StorageId.make("local")
      yield* passing(client.backUp({ type: "lxc", vmid: Vmid.make(9999) }, { storage: local }))
      yield* TestClock.adjust("10 minutes")
      const { rows } = yield* passing(client.storageContent(local, { content: "backup" }))
      const archives = [...rows.map(({ volid }) => volid), "gone:backup/x.tar", "local:backup/none.tar"].map((one) =>
        Volid.make(one)
      )
      const { images } = yield* passing(lookAtHost({ archives, made: [] }))
      expect(images.map(({ size, volid }) => [volid, size])).toEqual(rows.map(({ size, volid }) => [volid, size]))
      expect(images.length).toBeGreaterThan(0)
    }).pipe(Effect.provide(host())))

  it.effect("has the templates that there are among the images", () =>
    Effect.gen(function*() {
      const archives = ["felhom-tiny_1.0-1_amd64.tar.gz", "gone.tar.gz"].map((one) => Volid.make(`local:vztmpl/${one}`))
      const { images } = yield* passing(lookAtHost({ archives, made: [] }))
      expect(images).toEqual([{ volid: archives[0], size: 1_071_310 }])
    }).pipe(Effect.provide(host())))

  it.effect("is no empty host where the token may not look", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(passing(lookAtHost(nothing)))
      expect(error).toMatchObject({ _tag: "SightError", reason: "rights" })
      expect(error.message).toContain("nothing is planned for a host that looks empty")
    }).pipe(Effect.provide(host({ token: "felhom-agent@pve!noacl" }))))
})
