import { describe, it } from "@effect/vitest"
import { type GuestRef, Vmid } from "@felhom/domain/ProxmoxId"
import { Hold } from "@felhom/durable/Hold"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { guestsAtOnce } from "@felhom/reconciler/pursuit/Pass"
import { Pursuit } from "@felhom/reconciler/pursuit/Pursuit"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { type Host, makeHost, onHost, paths, start } from "../op/SignedHost.ts"
import { desired } from "../trust/FleetHost.ts"
import { machine, onDirectory, passing, policy, runs, state, tiny, toldBy, turn, wishFor } from "./PursuedHost.ts"

const read = (host: Host, ref: GuestRef) =>
  passing(
    Effect.provide(
      Effect.flatMap(
        ProxmoxClient,
        (client) => Effect.all({ row: client.guestStatus(ref), config: client.guestConfig(ref) })
      ),
      host.proxmox
    )
  )

const statusOf = (host: Host, ref: GuestRef) => Effect.map(read(host, ref), ({ row }) => row.status)
const configOf = (host: Host, ref: GuestRef) => Effect.map(read(host, ref), ({ config }) => config)

const isRead = (request: { readonly method: string }): boolean => request.method === "GET"
const reads = (host: Host) =>
  Effect.map(host.sim.requests, (all) => all.filter(isRead).reduce((sum, { count }) => sum + count, 0))

describe("a host with a desired state", () => {
  it.effect("starts a guest again that was stopped by hand, and tells of it", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
      yield* TestClock.adjust("30 seconds")
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { power: "running" })))
      yield* turn(agent)
      expect(toldBy(agent)).toEqual([])
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "stopped" })
      yield* TestClock.adjust("30 seconds")
      yield* turn(agent)
      expect(yield* statusOf(host, tiny)).toBe("running")
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* host.writes).toEqual(["POST /nodes/demo-felhom/lxc/9999/status/start"])
      expect(agent.events).toMatchObject([
        { kind: "desired.started", subject: "lxc/9999" },
        { kind: "desired.done", subject: "lxc/9999", message: "done: CT 9999 (tiny): start: stopped -> running" }
      ])
      expect(yield* agent.desiredStatus).toMatchObject({ version: 1, stale: false, drift: [], blocked: [] })
    }).pipe(Effect.provide(onHost)))

  it.effect("puts settings right that drifted, all of a guest's in one pass, and then has nothing to do", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(
        state(
          1,
          yield* wishFor(host, tiny, { cores: 2, description: "the mail", tags: ["mail"], power: "stopped" }),
          yield* wishFor(host, machine, { onboot: true })
        )
      )
      yield* turn(agent)
      expect(yield* configOf(host, tiny)).toMatchObject({ cores: 2, description: "the mail\n", tags: "mail" })
      expect(yield* configOf(host, machine)).toMatchObject({ onboot: 1 })
      const writes = yield* host.writes
      yield* turn(agent)
      expect((yield* agent.desiredStatus)?.drift).toEqual([])
      yield* turn(agent)
      expect(yield* host.writes).toEqual(writes)
      expect(new Set(agent.kinds())).toEqual(new Set(["desired.done"]))
    }).pipe(Effect.provide(onHost)))

  it.effect("only reports where its policy says so, once", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* policy(host, { correction: { settings: "report" } })
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([
        "desired.blocked not done: CT 9999 (tiny): change cores: 1 -> 2: the host's policy has settings told, not put right"
      ])
      expect(yield* agent.desiredStatus).toMatchObject({
        drift: [{ subject: "lxc/9999", reason: "change cores: 1 -> 2" }],
        blocked: [{ subject: "lxc/9999", reason: expect.stringContaining("told, not put right") }]
      })
    }).pipe(Effect.provide(onHost)))

  it.effect("asks Proxmox nothing more than the observation does once it is as it should be", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      const wishes = yield* Effect.forEach(
        [tiny, runs, onDirectory, machine],
        (ref) => wishFor(host, ref, { cores: 1, power: "running" })
      )
      yield* agent.desired(state(1, ...wishes))
      yield* turn(agent)
      yield* turn(agent)
      yield* turn(agent)
      const before = yield* reads(host)
      yield* turn(agent)
      expect((yield* agent.desiredStatus)?.drift).toEqual([])
      expect((yield* reads(host)) - before).toBeLessThanOrEqual(5 + 1)
    }).pipe(Effect.provide(onHost)))

  it.effect("never touches a guest that nobody named", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const before = yield* Effect.forEach([runs, onDirectory, machine], (ref) => read(host, ref))
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2, power: "running" })))
      yield* turn(agent)
      yield* turn(agent)
      const after = yield* Effect.forEach([runs, onDirectory, machine], (ref) => read(host, ref))
      const shown = (all: typeof before) => all.map(({ config, row }) => [row.status, config])
      expect(shown(after)).toEqual(shown(before))
      expect((yield* host.writes).every((call) => call.includes("/lxc/9999/"))).toBe(true)
    }).pipe(Effect.provide(onHost)))
})

describe("nothing is begun for a desired state", () => {
  const standing = (host: Host, prepare: Effect.Effect<void, unknown>, document?: string) =>
    Effect.gen(function*() {
      yield* prepare
      const agent = yield* host.boot()
      yield* agent.desired(document ?? state(1, yield* wishFor(host, tiny, { cores: 2 })))
      return agent
    })

  it.effect("while the host is held, and it is once the hold is released", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* standing(host, Effect.void)
      yield* agent.run(Effect.flatMap(Hold, (hold) => hold.set("root", "moving house")))
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([expect.stringContaining("waits: the desired state: the host is held since")])
      expect(yield* agent.desiredStatus).toMatchObject({
        drift: [{ subject: "lxc/9999" }],
        blocked: [{ subject: "host" }]
      })
      yield* agent.run(Effect.flatMap(Hold, (hold) => hold.release))
      yield* turn(agent)
      expect(yield* host.writes).toEqual(["PUT /nodes/demo-felhom/lxc/9999/config"])
    }).pipe(Effect.provide(onHost)))

  it.effect("that has run out", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const wish = yield* wishFor(host, tiny, { cores: 2 })
      const agent = yield* standing(
        host,
        Effect.void,
        desired(1, { state: { guests: [wish] }, expires: start + 600_000 })
      )
      yield* TestClock.setTime(start + 600_000)
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([expect.stringContaining("version 1 was good until")])
      expect(yield* agent.desiredStatus).toMatchObject({ stale: true, drift: [{ subject: "lxc/9999" }] })
    }).pipe(Effect.provide(onHost)))

  it.effect("while root's policy can't be taken, as nobody knows what it was to forbid", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* standing(
        host,
        host.put(paths.policy, JSON.stringify({ typ: "felhom/policy/v1", desired: { correction: {}, new: 1 } }))
      )
      yield* turn(agent)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([expect.stringContaining("while root's policy can't be taken")])
    }).pipe(Effect.provide(onHost)))
})

describe("a step that can't be done now", () => {
  it.effect("waits while the guest is locked for hours, is told once with the reason, and is done after that", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "lock", value: "backup" })
      yield* Effect.repeatN(turn(agent), 10)
      expect(yield* host.writes).toEqual([])
      expect(toldBy(agent)).toEqual([
        expect.stringContaining(
          "desired.waiting waits: CT 9999 (tiny): change cores: 1 -> 2: Proxmox VE holds it locked (backup)"
        )
      ])
      yield* host.sim.change({ _tag: "guest.set", vmid: tiny.vmid, key: "lock", value: null })
      yield* turn(agent)
      yield* turn(agent)
      expect(yield* configOf(host, tiny)).toMatchObject({ cores: 2 })
    }).pipe(Effect.provide(onHost)))

  it.effect("waits for somebody's task on the guest", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { cores: 2 })))
      yield* turn(agent)
      expect(yield* configOf(host, tiny)).toMatchObject({ cores: 2 })
      yield* agent.desired(state(2, yield* wishFor(host, tiny, { cores: 1 })))
      const client = yield* Effect.provide(ProxmoxClient, host.proxmox)
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
      yield* host.sim.change({ _tag: "guest.stubborn", vmid: tiny.vmid, stubborn: true })
      yield* passing(client.shutdown(tiny, { timeoutSeconds: 90 }))
      yield* turn(agent)
      expect(yield* configOf(host, tiny)).toMatchObject({ cores: 2 })
      expect(toldBy(agent).at(-1)).toContain("waits: CT 9999 (tiny): change cores: 2 -> 1: a task of guest 9999 runs")
      yield* Effect.repeatN(turn(agent), 3)
      expect(yield* configOf(host, tiny)).toMatchObject({ cores: 1 })
    }).pipe(Effect.provide(onHost)))
})

describe("a guest that was just started", () => {
  it.effect("is not said to have stopped again while Proxmox's list is of before that", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* TestClock.adjust("30 seconds")
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { power: "running" })))
      const once = Effect.zipRight(
        passing(agent.cycle),
        passing(agent.run(Effect.flatMap(Pursuit, ({ quiet }) => quiet)))
      )
      yield* once
      // The next report is due before pvestatd has looked at the guests again.
      for (let cycle = 0; cycle < 3; cycle++) {
        yield* once
        yield* TestClock.adjust("1 second")
      }
      expect(yield* statusOf(host, tiny)).toBe("running")
      expect(toldBy(agent).map((message) => message.split(" ")[0])).toEqual(["desired.started", "desired.done"])
    }).pipe(Effect.provide(onHost)))
})

describe("a shutdown that times out", () => {
  it.effect("is told with the op that would stop it, and never followed by a kill", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* host.sim.change({ _tag: "guest.status", vmid: tiny.vmid, status: "running" })
      yield* host.sim.change({ _tag: "guest.stubborn", vmid: tiny.vmid, stubborn: true })
      yield* TestClock.adjust("30 seconds")
      const agent = yield* host.boot()
      yield* agent.desired(state(1, yield* wishFor(host, tiny, { power: "stopped" })))
      yield* Effect.repeatN(turn(agent), 7)
      const writes = yield* host.writes
      expect(new Set(writes)).toEqual(new Set(["POST /nodes/demo-felhom/lxc/9999/status/shutdown"]))
      expect(writes.length).toBeGreaterThan(1)
      expect(writes.length).toBeLessThan(7)
      expect(yield* statusOf(host, tiny)).toBe("running")
      expect(toldBy(agent).find((message) => message.startsWith("desired.failed"))).toContain(
        "felhom op guest.stop_hard --host demo-felhom --guest lxc/9999"
      )
      expect(toldBy(agent).join()).toMatch(
        /it was tried \d times of late: container did not stop: .*; if it has to stop, operators can sign that: .*; it is tried again at 20/
      )
    }).pipe(Effect.provide(onHost)))
})

describe("what a host did of late", () => {
  it.effect("counts against its blast radius over restarts, and the rest follows when there is room", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      yield* policy(host, { blastRadius: { guests: 2, minutes: 60 } })
      const wishes = yield* Effect.forEach(
        [tiny, runs, onDirectory, machine],
        (ref) => wishFor(host, ref, { description: "named" })
      )
      const first = yield* host.boot()
      yield* first.desired(state(1, ...wishes))
      yield* turn(first)
      expect(yield* host.writes).toHaveLength(2)
      expect(toldBy(first).filter((message) => message.includes("the policy allows 2"))).toHaveLength(2)
      yield* first.kill
      const again = yield* host.boot(first.model.present())
      yield* again.recover
      yield* turn(again)
      yield* turn(again)
      expect(yield* host.writes).toHaveLength(2)
      yield* TestClock.adjust("1 hour")
      yield* turn(again)
      expect(yield* host.writes).toHaveLength(4)
    }).pipe(Effect.provide(onHost)))
})

describe("many guests with one change each", () => {
  it.effect("take little longer than their tasks, of which four run at once", () =>
    Effect.gen(function*() {
      const host = yield* makeHost
      const refs = Array.from({ length: 24 }, (_, at) => ({ type: "lxc", vmid: Vmid.make(1001 + at) }) as const)
      for (const { vmid } of refs) {
        yield* host.sim.change({
          _tag: "guest.create",
          type: "lxc",
          vmid,
          config: {
            arch: "amd64",
            hostname: `web-${vmid}`,
            memory: "128",
            net0: `name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:${vmid - 991},type=veth`,
            ostype: "debian",
            unprivileged: "1"
          }
        })
      }
      yield* policy(host, { blastRadius: { guests: 1000, minutes: 60 } })
      yield* TestClock.adjust("30 seconds")
      const agent = yield* host.boot()
      const wishes = yield* Effect.forEach(refs, (ref) => wishFor(host, ref, { power: "running" }))
      yield* agent.desired(state(1, ...wishes))
      yield* passing(agent.cycle)
      // The simulated host's start of a container takes 1.4 seconds.
      const least = (24 / guestsAtOnce) * 1400
      yield* Effect.repeatN(TestClock.adjust("20 millis"), Math.floor((least * 1.2) / 20) - 1)
      expect(agent.kinds().filter((kind) => kind === "desired.done")).toHaveLength(24)
      expect(toldBy(agent)).toHaveLength(48)
    }).pipe(Effect.provide(onHost)), 120_000)
})
