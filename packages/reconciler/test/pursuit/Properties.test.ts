import { describe, it } from "@effect/vitest"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect, FastCheck as fc, TestClock } from "effect"
import { expect } from "vitest"
import { type Host, makeHost, onHost } from "../op/SignedHost.ts"
import { machine, onDirectory, passing, policy, runs, state, tiny, turn, type Wish, wishFor } from "./PursuedHost.ts"

const all: ReadonlyArray<GuestRef> = [tiny, runs, onDirectory, machine]

/** Wishes that every guest of the recorded host can be. */
const wish = fc.record({
  power: fc.constantFrom("running", "stopped"),
  description: fc.constantFrom("", "named", "zwei\nZeilen"),
  tags: fc.uniqueArray(fc.constantFrom("b", "a", "c")),
  onboot: fc.boolean(),
  cores: fc.integer({ min: 1, max: 2 }),
  cpulimit: fc.constantFrom(0, 1)
}, { requiredKeys: [] })

interface Situation {
  readonly wished: ReadonlyArray<readonly [ref: GuestRef, wish: Wish]>
  readonly running: ReadonlyArray<boolean>
}

const situation: fc.Arbitrary<Situation> = fc.record({
  wished: fc.shuffledSubarray([...all]).chain((refs) =>
    fc.tuple(...refs.map((ref) => fc.tuple(fc.constant(ref), wish)))
  ),
  running: fc.array(fc.boolean(), { minLength: all.length, maxLength: all.length })
})

const shown = (host: Host, refs: ReadonlyArray<GuestRef>) =>
  passing(
    Effect.provide(
      Effect.flatMap(ProxmoxClient, (client) =>
        Effect.forEach(refs, (ref) =>
          Effect.map(
            Effect.all([client.guestStatus(ref), client.guestConfig(ref)]),
            ([{ status }, config]) => ({ status, config })
          ))),
      host.proxmox
    )
  )

describe("whatever is wished for, and whatever is there", () => {
  it.effect(
    "one pass gets the host there, the next plan is empty, and nobody else was touched",
    () =>
      Effect.forEach(
        fc.sample(situation, { numRuns: 12, seed: 20261122 }),
        ({ running, wished }) =>
          Effect.gen(function*() {
            const host = yield* makeHost
            yield* policy(host, { blastRadius: { guests: 100, minutes: 60 } })
            yield* Effect.forEach(
              all,
              ({ vmid }, at) =>
                host.sim.change({ _tag: "guest.status", vmid, status: running[at] === true ? "running" : "stopped" })
            )
            yield* TestClock.adjust("30 seconds")
            const others = all.filter((ref) => !wished.some(([one]) => one === ref))
            const before = yield* shown(host, others)
            const agent = yield* host.boot()
            yield* agent.desired(state(1, ...yield* Effect.forEach(wished, ([ref, one]) => wishFor(host, ref, one))))
            yield* turn(agent)
            const writes = yield* host.writes
            yield* turn(agent)
            expect((yield* agent.desiredStatus)?.drift).toEqual([])
            expect(yield* host.writes).toEqual(writes)
            expect(agent.kinds().filter((kind) => !["desired.started", "desired.done"].includes(kind))).toEqual([])
            expect(yield* shown(host, others)).toEqual(before)
            yield* agent.kill
          }).pipe(Effect.provide(onHost)),
        { discard: true }
      ),
    120_000
  )
})

/** Wishes of any kind, of which some can't be, or wait for the guest's next start. */
const anyWish = fc.record({
  power: fc.constantFrom("running", "stopped"),
  name: fc.constantFrom("web", "tiny", "db"),
  description: fc.constantFrom("", "named", "100 % ä\n"),
  tags: fc.uniqueArray(fc.constantFrom("b", "A", "c")),
  onboot: fc.boolean(),
  protection: fc.constant(true),
  cores: fc.integer({ min: 1, max: 4 }),
  cpulimit: fc.constantFrom(0, 2),
  cpuunits: fc.constantFrom(100, 500),
  memory: fc.constantFrom(64, 256, 512),
  swap: fc.constantFrom(0, 512),
  startup: fc.constantFrom({ order: 2, up: 5 }, { down: 60 }),
  nameserver: fc.constantFrom([], ["fd00::1", "192.168.1.1"]),
  nets: fc.constantFrom({ net0: { tag: 7, firewall: true } }, { net0: { linkDown: true } }, { net3: { tag: 7 } }),
  volumes: fc.constantFrom({ rootfs: 2 }, { scsi0: 2 }, { mp0: 9 })
}, { requiredKeys: [] })

/** What people have written by hand, in spellings that Proxmox takes; some of it waits for a running guest's next start. */
const byHand = fc.record({
  vmid: fc.constantFrom(...all.map(({ vmid }) => vmid)),
  edit: fc.constantFrom(["tags", "c;a;B"], ["onboot", "1"], ["cores", "2"], ["cpuunits", "1024"], ["startup", "2"], [
    "description",
    "two%0Alines"
  ])
})

const anySituation = fc.record({
  wished: fc.shuffledSubarray([...all], { minLength: 1 }).chain((refs) =>
    fc.tuple(...refs.map((ref) => fc.tuple(fc.constant(ref), anyWish)))
  ),
  running: fc.array(fc.boolean(), { minLength: all.length, maxLength: all.length }),
  edits: fc.array(byHand, { maxLength: 4 })
})

/** How the host is once it was pursued for some cycles, in which order the wishes ever come. */
const settledAs = (
  { edits, running, wished }: typeof anySituation extends fc.Arbitrary<infer A> ? A : never,
  order: (wishes: ReadonlyArray<unknown>) => ReadonlyArray<unknown>
) =>
  Effect.gen(function*() {
    const host = yield* makeHost
    yield* policy(host, { blastRadius: { guests: 100, minutes: 60 } })
    yield* Effect.forEach(
      all,
      ({ vmid }, at) =>
        host.sim.change({ _tag: "guest.status", vmid, status: running[at] === true ? "running" : "stopped" })
    )
    yield* Effect.forEach(edits, ({ edit: [key = "", value = ""], vmid }) =>
      host.sim.change({ _tag: "guest.set", vmid, key, value }))
    yield* TestClock.adjust("30 seconds")
    const others = all.filter((ref) =>
      !wished.some(([one]) => one === ref)
    )
    const before = yield* shown(host, others)
    const agent = yield* host.boot()
    const wishes = yield* Effect.forEach(wished, ([ref, one]) => wishFor(host, ref, one))
    yield* agent.desired(state(1, ...order(wishes)))
    yield* turn(agent)
    const writes = yield* host.writes
    yield* turn(agent)
    yield* turn(agent)
    // One pass got it as far as it gets, and whatever differs is told with its reason.
    expect(yield* host.writes).toEqual(writes)
    const status = yield* agent.desiredStatus
    expect(status?.drift.map(({ subject }) => subject).toSorted()).toEqual(
      status?.blocked.map(({ subject }) => subject).toSorted()
    )
    expect(yield* shown(host, others)).toEqual(before)
    const ends = yield* shown(host, all)
    yield* agent.kill
    return {
      guests: ends.map(({ config, status }) => ({ status, config: { ...config, digest: null } })),
      writes: writes.toSorted(),
      drift: status?.drift
    }
  }).pipe(Effect.provide(onHost))

describe("whatever is wished for, be it possible or not", () => {
  it.effect(
    "one pass does all that can be done, the rest is told, and the order of the wishes changes nothing",
    () =>
      Effect.forEach(
        fc.sample(anySituation, { numRuns: 10, seed: 20261122 }),
        (one) =>
          Effect.gen(function*() {
            const [forwards, backwards] = [
              yield* settledAs(one, (wishes) => wishes),
              yield* settledAs(one, (wishes) => wishes.toReversed())
            ]
            expect(backwards).toEqual(forwards)
          }),
        { discard: true }
      ),
    240_000
  )
})
