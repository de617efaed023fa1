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
