import { describe, it } from "@effect/vitest"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { type Disk, makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { type Host, makeHost, minutes, onHost } from "../op/SignedHost.ts"
import { stuckFrom } from "../op/StuckDisk.ts"
import { machine, passing, state, tiny, turn, wishFor } from "./PursuedHost.ts"

const read = (host: Host) =>
  passing(
    Effect.provide(
      Effect.flatMap(ProxmoxClient, (client) =>
        Effect.all({
          tiny: client.guestStatus(tiny),
          config: client.guestConfig(tiny),
          machine: client.guestConfig(machine)
        })),
      host.proxmox
    )
  )

/** A host with a start, a container's setting and a virtual machine's to do. */
const prepared = Effect.gen(function*() {
  const host = yield* makeHost
  const first = yield* host.boot()
  yield* first.opened
  yield* first.desired(
    state(
      1,
      yield* wishFor(host, tiny, { power: "running", cores: 2 }),
      yield* wishFor(host, machine, { description: "named" })
    )
  )
  yield* first.kill
  return { host, disk: first.model.present() }
})

const ends = new Set(["desired.done", "desired.failed", "desired.unknown"])

/** Boots again on what is left: the host gets where it should be, and what was begun has one end that is told. */
const judged = (host: Host, left: Disk, told: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const again = yield* host.boot(left)
    yield* again.recover
    yield* minutes(1)
    yield* Effect.repeatN(turn(again), 2)
    const now = yield* read(host)
    expect([now.tiny.status, now.config["cores"], now.machine["description"]]).toEqual(["running", 2, "named"])
    expect((yield* again.desiredStatus)?.drift).toEqual([])
    const starts = (yield* host.writes).filter((call) => call.endsWith("/status/start"))
    expect(starts).toHaveLength(1)
    const { counts, open } = yield* again.run(
      Effect.flatMap(OpJournal, ({ desired: { counts, open } }) => Effect.all({ counts, open }))
    )
    expect(open).toEqual([])
    expect(counts.touched.size).toBe(2)
    yield* again.kill
    return [...told, ...again.kinds()].filter((kind) => ends.has(kind))
  })

describe("a crash at any step of the disk", () => {
  it.effect("starts a guest once, leaves nothing open, and ends at what is wished", () =>
    Effect.gen(function*() {
      const whole = yield* Effect.gen(function*() {
        const { disk, host } = yield* prepared
        const model = makeModel(disk)
        const agent = yield* host.boot(disk, { model })
        yield* turn(agent)
        expect(agent.kinds().filter((kind) => kind === "desired.done")).toHaveLength(3)
        return model.steps()
      }).pipe(Effect.provide(onHost))
      expect(whole).toBeGreaterThan(12)
      for (let step = 0; step < whole; step += 1) {
        yield* Effect.gen(function*() {
          const { disk, host } = yield* prepared
          const model = makeModel(disk)
          const agent = yield* host.boot(disk, { model, files: stuckFrom(model, step) })
          yield* Effect.forkDaemon(agent.cycle)
          yield* minutes(1)
          const all = yield* judged(host, model.present(), agent.kinds())
          // One end of each, but for one that was told right before its record could be closed.
          expect(all.length, `stuck at ${step}: ${all.join()}`).toBeGreaterThanOrEqual(3)
          expect(all.length, `stuck at ${step}: ${all.join()}`).toBeLessThanOrEqual(5)
        }).pipe(Effect.provide(onHost))
      }
    }), 600_000)
})

/** Proxmox takes the calls, or not, and their answers never come. */
const silent = (host: Host, carriedOut: boolean): (typeof PveSim.Service)["handle"] => (request) =>
  request.method === "GET"
    ? host.sim.handle(request)
    : Effect.zipRight(carriedOut ? host.sim.handle(request) : Effect.void, Effect.never)

describe("a crash while the calls are on their way", () => {
  for (const carriedOut of [true, false]) {
    it.effect(
      carriedOut
        ? "finds what they have done, says so, and does none of it again"
        : "finds that nothing was begun, says so, and plans it anew",
      () =>
        Effect.gen(function*() {
          const { disk, host } = yield* prepared
          const agent = yield* host.boot(disk, { proxmox: host.proxmoxThrough(silent(host, carriedOut)) })
          yield* passing(agent.cycle)
          yield* minutes(0)
          yield* agent.kill
          const made = (yield* host.writes).length
          const all = yield* judged(host, agent.model.present(), agent.kinds())
          expect(all.includes("desired.failed")).toBe(!carriedOut)
          expect(all).not.toContain("desired.unknown")
          if (carriedOut) expect(made).toBeGreaterThan(0)
        }).pipe(Effect.provide(onHost))
    )

    it.effect(`without a crash, answers that are lost are looked for as well (${carriedOut ? "done" : "not done"})`, () =>
      Effect.gen(function*() {
        const { disk, host } = yield* prepared
        const agent = yield* host.boot(disk, { proxmox: host.proxmoxThrough(silent(host, carriedOut)) })
        yield* passing(agent.cycle)
        yield* minutes(6)
        const kinds = agent.kinds().filter((kind) => ends.has(kind))
        expect(new Set(kinds)).toEqual(new Set([carriedOut ? "desired.done" : "desired.failed"]))
        expect(yield* host.writes).toHaveLength(carriedOut ? 3 : 0)
        yield* agent.kill
      }).pipe(Effect.provide(onHost)))
  }
})
