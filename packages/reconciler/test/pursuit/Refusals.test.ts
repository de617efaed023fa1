import { describe, it } from "@effect/vitest"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { type Host, layerWith, makeHost, minutes, onHost, snapshotDelete } from "../op/SignedHost.ts"
import { machine, passing, policy, runs, state, tiny, toldBy, turn, wishFor } from "./PursuedHost.ts"

const configOf = (host: Host, ref: GuestRef) =>
  passing(Effect.provide(Effect.flatMap(ProxmoxClient, (client) => client.guestConfig(ref)), host.proxmox))

/** Somebody writes this in the web UI right before each call of ours. */
const meanwhile = (host: Host, key: string, value: () => string): (typeof PveSim.Service)["handle"] => (request) =>
  request.method === "GET"
    ? host.sim.handle(request)
    : Effect.zipRight(
      Effect.orDie(
        Effect.suspend(() => host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key, value: value() }))
      ),
      host.sim.handle(request)
    )

describe("a person in the web UI", () => {
  it.effect("is never written over: the change is planned anew, from what is there then", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      let writing = true
      const handle = meanwhile(host, "description", () => writing ? `at work ${writing}` : "done")
      const agent = yield* host.boot(undefined, {
        proxmox: host.proxmoxThrough((request) => writing ? handle(request) : host.sim.handle(request))
      })
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* turn(agent)
      expect(yield* configOf(host, tiny)).not.toMatchObject({ cores: 2 })
      expect(toldBy(agent)).toEqual([
        expect.stringMatching(
          /^desired\.waiting .*change cores: 1 -> 2: .*somebody changed it in between.*tried again$/
        )
      ])
      writing = false
      yield* Effect.repeatN(turn(agent), 2)
      expect(yield* configOf(host, tiny)).toMatchObject({ cores: 2 })
      expect(toldBy(agent).at(-1)).toContain("desired.done")
    }).pipe(Effect.provide(onHost)))

  it.effect("who has put the same right already is not told of anything", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { description: "the mail" })))
      yield* policy(host, { correction: { settings: "report" } })
      yield* turn(agent)
      yield* host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "description", value: "the mail" })
      yield* policy(host, {})
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect((yield* agent.desiredStatus)?.drift).toEqual([])
    }).pipe(Effect.provide(onHost)))
})

describe("a signed op for the same guest", () => {
  it.effect("goes first, and the step waits until it has ended", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "lock", value: "backup" })
      const op = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"))
      yield* agent.fromHub(op)
      yield* minutes(1)
      yield* host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "lock", value: null })
      yield* passing(agent.cycle)
      yield* TestClock.adjust("1 second")
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent).at(-1)).toContain("a signed op for it is under way or waits")
      yield* minutes(1)
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* host.writes).toEqual([
        "DELETE /nodes/demo-felhom/lxc/9999/snapshot/before",
        "PUT /nodes/demo-felhom/lxc/9999/config"
      ])
    }).pipe(Effect.provide(onHost)))
})

/** What a host does for one wish after three cycles, and what it tells. */
const afterThree = (
  wish: object,
  prepare: (host: Host) => Effect.Effect<void, unknown> = () => Effect.void,
  ref: GuestRef = tiny
) =>
  Effect.gen(function*() {
    const host = yield* makeHost
    const named = yield* wishFor(host, ref, { ...wish })
    yield* prepare(host)
    yield* TestClock.adjust("30 seconds")
    const agent = yield* host.boot()
    yield* agent.desired(state(1, named))
    yield* Effect.repeatN(turn(agent), 2)
    return { host, agent, writes: yield* host.writes, told: toldBy(agent) }
  })

describe("a wish that this host can't or must not fulfil is told once with the reason, and nothing is sent:", () => {
  const refused = (
    name: string,
    wish: object,
    why: string,
    prepare?: (host: Host) => Effect.Effect<void, unknown>,
    ref?: GuestRef
  ) =>
    it.effect(name, () =>
      Effect.gen(function*() {
        const { told, writes } = yield* afterThree(wish, prepare, ref)
        expect(writes).toEqual([])
        expect(told).toHaveLength(1)
        expect(told[0]).toContain(why)
      }).pipe(Effect.provide(onHost)))

  refused(
    "a container that is a virtual machine by now",
    { power: "running" },
    "nothing turns one into the other",
    (host) =>
      Effect.gen(function*() {
        const { identity } = yield* host.shown(tiny)
        yield* host.sim.change({ _tag: "guest.destroy", vmid: tiny.vmid })
        yield* host.sim.change({
          _tag: "guest.create",
          vmid: tiny.vmid,
          type: "qemu",
          config: { name: "tiny", memory: "512", net0: `virtio=${identity.hwaddrs[0] ?? ""},bridge=vmbr0` }
        })
      })
  )

  refused(
    "two guests with one name",
    { name: "same" },
    "more than one guest of this host would be called same",
    (host) => host.sim.change({ _tag: "guest.set", vmid: runs.vmid, key: "hostname", value: "same" })
  )

  refused(
    "memory below what it uses",
    { memory: 16 },
    "memory",
    (host) => host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
  )

  refused(
    "power of a guest that the HA manager looks after",
    { power: "running" },
    "ha-manager set ct:9999 --state started",
    (host) => host.sim.change({ _tag: "guest.ha", vmid: tiny.vmid, state: "stopped" })
  )

  refused(
    "a guest that was made or restored by half",
    { power: "running" },
    "it was made or restored by half, or is being destroyed",
    (host) => host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "lock", value: "create" })
  )

  refused(
    "a volume on a full storage",
    { volumes: { rootfs: 20 } },
    "ctstore would have less than 10 % free",
    (host) => host.sim.change({ _tag: "storage.avail", storage: "ctstore", bytes: 1024 ** 3 })
  )

  it.effect("a guest that another node of the cluster has", () =>
    Effect.gen(function*() {
      const { told, writes } = yield* afterThree(
        { power: "running" },
        (host) => host.sim.change({ _tag: "guest.moved", vmid: tiny.vmid, node: "demo-felhom-2" })
      )
      expect(writes).toEqual([])
      expect(told).toEqual([expect.stringContaining("it seems to be on the node demo-felhom-2 now")])
    }).pipe(Effect.provide(layerWith({ nodes: 2 }))))
})

describe("a protected guest", () => {
  it.effect("is started and changed like any other, and keeps its protection", () =>
    Effect.gen(function*() {
      const { agent, host } = yield* afterThree(
        { power: "running", cores: 2 },
        (host) => host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "protection", value: "1" })
      )
      expect(yield* configOf(host, tiny)).toMatchObject({ cores: 2, protection: 1 })
      expect((yield* agent.desiredStatus)?.drift).toEqual([])
    }).pipe(Effect.provide(onHost)))
})

describe("a guest that does not stay up", () => {
  it.effect(
    "is started again after longer and longer pauses, and the third start says so",
    () =>
      Effect.gen(function*() {
        const host = yield* makeHost
        const agent = yield* host.boot()
        yield* agent.desired(state(1, yield* wishFor(host, tiny, { power: "running" })))
        for (let cycle = 0; cycle < 40; cycle += 1) {
          yield* turn(agent)
          yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "stopped" })
        }
        const starts = (yield* host.writes).length
        expect(starts).toBeGreaterThan(3)
        expect(starts).toBeLessThan(9)
        expect(toldBy(agent).filter((message) => message.includes("does not last"))).not.toEqual([])
      }).pipe(Effect.provide(onHost)),
    120_000
  )
})

describe("a step whose journal can't be written", () => {
  it.effect("is not begun", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.opened
      yield* agent.desired(
        state(1, yield* wishFor(host, tiny, { cores: 2 }), yield* wishFor(host, machine, { description: "named" }))
      )
      agent.model.free = 1024
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toHaveLength(2)
      expect(toldBy(agent)[0]).toContain("it can't be written down")
      const { touched } = yield* agent.run(Effect.flatMap(OpJournal, ({ desired }) => desired.counts))
      expect(touched.size).toBe(0)
    }).pipe(Effect.provide(onHost)))
})
