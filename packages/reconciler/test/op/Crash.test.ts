import { describe, it } from "@effect/vitest"
import { DurableFileError } from "@felhom/domain/port/DurableFile"
import { NonceStore } from "@felhom/durable/NonceStore"
import { OpJournal } from "@felhom/durable/OpJournal"
import type { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { crashStates, type Disk, formatDisk, makeModel, type Model } from "../../../durable/test/ModelFileSystem.ts"
import { type Host, makeHost, minutes, onHost, snapshotDelete, tiny } from "./SignedHost.ts"
import { stuckFrom } from "./StuckDisk.ts"

const snapshotThere = (host: Host) =>
  Effect.map(host.shown(tiny), ({ snapshots }) => snapshots.some(({ name }) => name === "before"))

const ends = new Set(["op.finished", "op.failed", "op.unknown"])

const prepared = Effect.gen(function*() {
  const host = yield* makeHost
  yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
  const first = yield* host.boot()
  const op = yield* host.signed(first, yield* snapshotDelete(host, tiny, "before"))
  yield* first.kill
  return { host, op, disk: first.model.present() }
})

/** Boots again on what is left, and holds the whole against what must hold whenever it happened. */
const judged = (
  { host, op }: Effect.Effect.Success<typeof prepared>,
  left: Disk,
  told: ReadonlyArray<string>
) =>
  Effect.gen(function*() {
    const again = yield* host.boot(left)
    yield* again.recover
    yield* again.fromHub(op)
    yield* minutes(3)
    const calls = yield* host.writes
    expect(calls.length).toBeLessThanOrEqual(1)
    const all = [...told, ...again.kinds()].filter((kind) => ends.has(kind))
    expect(all.length).toBeGreaterThanOrEqual(1)
    expect(new Set(all).size).toBe(1)
    const there = yield* snapshotThere(host)
    if (all[0] === "op.finished") expect(there).toBe(false)
    if (all[0] === "op.failed") expect(there).toBe(true)
    yield* again.kill
    return { end: all[0], calls: calls.length }
  })

describe("a crash at any step of the disk", () => {
  it.effect("leads to one call at most, and to an end that is told and true", () =>
    Effect.gen(function*() {
      const whole = yield* Effect.gen(function*() {
        const { disk, host, op } = yield* prepared
        const model = makeModel(disk)
        const agent = yield* host.boot(disk, { model })
        yield* agent.fromHub(op)
        yield* minutes(1)
        expect(agent.kinds().at(-1)).toBe("op.finished")
        return model.steps()
      }).pipe(Effect.provide(onHost))
      const outcomes = new Set<string>()
      for (let step = 0; step < whole; step += 1) {
        const { calls, end } = yield* Effect.gen(function*() {
          const scene = yield* prepared
          const model = makeModel(scene.disk)
          const agent = yield* scene.host.boot(scene.disk, { model, files: stuckFrom(model, step) })
          yield* Effect.forkDaemon(agent.fromHub(scene.op))
          yield* minutes(1)
          return yield* judged(scene, model.present(), agent.kinds())
        }).pipe(Effect.provide(onHost))
        outcomes.add(`${end} after ${calls}`)
      }
      expect([...outcomes].sort()).toEqual(["op.failed after 0", "op.finished after 1"])
    }), 120_000)
})

/** Proxmox takes the call, or not, and the answer never comes. */
const silent = (host: Host, carriedOut: boolean): (typeof PveSim.Service)["handle"] => (request) =>
  request.method === "GET"
    ? host.sim.handle(request)
    : Effect.zipRight(carriedOut ? host.sim.handle(request) : Effect.void, Effect.never)

describe("a crash while the call is on its way", () => {
  for (const carriedOut of [true, false]) {
    it.effect(
      carriedOut
        ? "finds the task that the call started, and follows that"
        : "finds that nothing was begun, says so, and does not send it again",
      () =>
        Effect.gen(function*() {
          const scene = yield* prepared
          const { host } = scene
          const agent = yield* host.boot(scene.disk, { proxmox: host.proxmoxThrough(silent(host, carriedOut)) })
          yield* agent.fromHub(scene.op)
          yield* minutes(0)
          expect(agent.kinds()).toEqual(["op.accepted"])
          yield* agent.kill
          const { calls, end } = yield* judged(scene, agent.model.present(), agent.kinds())
          expect({ calls, end }).toEqual(
            carriedOut ? { calls: 1, end: "op.finished" } : { calls: 0, end: "op.failed" }
          )
        }).pipe(Effect.provide(onHost))
    )

    it.effect(`without a crash, an answer that is lost is looked for as well (${carriedOut ? "done" : "not done"})`, () =>
      Effect.gen(function*() {
        const scene = yield* prepared
        const { host } = scene
        const agent = yield* host.boot(scene.disk, { proxmox: host.proxmoxThrough(silent(host, carriedOut)) })
        yield* agent.fromHub(scene.op)
        yield* minutes(4)
        expect(agent.kinds()).toEqual(
          carriedOut ? ["op.accepted", "op.started", "op.finished"] : ["op.accepted", "op.failed"]
        )
        expect(yield* host.writes).toHaveLength(carriedOut ? 1 : 0)
      }).pipe(Effect.provide(onHost)))
  }

  it.effect("without a task and with its target changed, nobody can tell", () =>
    Effect.gen(function*() {
      const scene = yield* prepared
      const { host } = scene
      const agent = yield* host.boot(scene.disk, { proxmox: host.proxmoxThrough(silent(host, false)) })
      yield* agent.fromHub(scene.op)
      yield* minutes(0)
      yield* agent.kill
      yield* host.sim.change({ _tag: "guest.delsnapshot", vmid: tiny.vmid, name: "before" })
      const again = yield* host.boot(agent.model.present())
      yield* again.recover
      yield* minutes(2)
      expect(again.kinds()).toEqual(["op.unknown"])
      expect(yield* host.writes).toEqual([])
    }).pipe(Effect.provide(onHost)))
})

describe("an end that the queue of events could not keep", () => {
  it.effect("is told again after each restart, until it is kept, and nothing is done again", () =>
    Effect.gen(function*() {
      const { disk, host, op } = yield* prepared
      const stateFailure = Effect.succeedSome(
        new DurableFileError({ operation: "replace", path: "/state/state.json", code: "EIO", detail: "i/o error" })
      )
      const first = yield* host.boot(disk, { stateFailure })
      yield* first.fromHub(op)
      yield* minutes(1)
      expect(first.kinds().at(-1)).toBe("op.finished")
      yield* first.kill
      // Nothing of what it told is left.
      const second = yield* host.boot(first.model.present(), { stateFailure })
      yield* second.recover
      yield* minutes(1)
      expect(second.kinds()).toEqual(["op.finished"])
      yield* second.kill
      const third = yield* host.boot(second.model.present())
      yield* third.recover
      yield* minutes(1)
      expect(third.kinds()).toEqual(["op.finished"])
      yield* third.kill
      const fourth = yield* host.boot(third.model.present())
      yield* fourth.recover
      yield* fourth.fromHub(op)
      yield* minutes(1)
      expect(fourth.kinds()).toEqual([])
      expect(yield* host.writes).toHaveLength(1)
    }).pipe(Effect.provide(onHost)))
})

describe("when the call leaves", () => {
  it.effect("its nonce and its intent are on the disk, wherever the power is cut", () =>
    Effect.gen(function*() {
      const scene = yield* prepared
      const { host } = scene
      const nonce = "c".repeat(32)
      const model = makeModel(scene.disk)
      let moment: Model["moments"][number] | undefined
      const agent = yield* host.boot(scene.disk, {
        model,
        proxmox: host.proxmoxThrough((request) => {
          if (request.method === "DELETE") moment = model.moments.at(-1)
          return host.sim.handle(request)
        })
      })
      yield* agent.fromHub(yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"), { nonce }))
      yield* minutes(1)
      expect(moment).toBeDefined()
      const disks = new Map([...crashStates(moment ?? model.moments[0]!)].map((disk) => [formatDisk(disk), disk]))
      expect(disks.size).toBeGreaterThanOrEqual(1)
      for (const disk of disks.values()) {
        const left = yield* host.boot(disk)
        expect(yield* left.run(Effect.flatMap(NonceStore, (store) => store.isSpent(nonce)))).toBe(true)
        const open = yield* left.run(Effect.flatMap(OpJournal, (journal) => journal.open))
        expect(open.map(({ stage }) => stage)).toEqual(["intent"])
        yield* left.kill
      }
    }).pipe(Effect.provide(onHost)))
})
