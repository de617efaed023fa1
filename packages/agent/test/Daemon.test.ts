import { describe, it } from "@effect/vitest"
import * as Daemon from "@felhom/agent/Daemon"
import { type Envelope, envelopeType } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { EpochMillis } from "@felhom/domain/Time"
import * as StateFile from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import { HubError } from "@felhom/hub-client/HubError"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import type { Observation, ProxmoxCondition } from "@felhom/reconciler/Observation"
import { Observer } from "@felhom/reconciler/Observer"
import { Clock, Effect, Fiber, Layer, Option, Ref, TestClock } from "effect"
import { expect } from "vitest"

const unread = sectionUnavailable("not in this test")

const observation = (proxmox: ProxmoxCondition, cpu: number, hold = false): Observation => ({
  takenAt: EpochMillis.make(0),
  proxmox,
  pveVersion: "9.2.11",
  kernel: null,
  inventory: { guests: unread, storages: unread, disks: unread, policyHash: null, desired: null, hold },
  samples: {
    node: sectionOk(EpochMillis.make(0), {
      uptimeSeconds: 1,
      cpu,
      load: [],
      memoryTotal: null,
      memoryUsed: null,
      rootTotal: null,
      rootUsed: null
    }),
    guests: unread,
    temperatures: unread
  },
  sections: { storage: unread, backup: unread, restore: unread, pbs: unread, audit: unread }
})

/** A host, a hub and a disk that the test owns. */
const makeWorld = Effect.gen(function*() {
  const proxmox = yield* Ref.make<ProxmoxCondition | "defect">({ state: "ok" })
  const hold = yield* Ref.make(false)
  const hub = yield* Ref.make<"answers" | "away" | "refuses">("answers")
  const answer = yield* Ref.make<Partial<Envelope>>({})
  const looks = yield* Ref.make(0)
  const tries = yield* Ref.make<ReadonlyArray<number>>([])
  const taken = yield* Ref.make<ReadonlyArray<HostReport>>([])
  const disk = yield* Ref.make(new Map<string, Uint8Array>())
  const readOnly = yield* Ref.make(false)

  const observer = Layer.succeed(Observer, {
    observe: Effect.gen(function*() {
      const count = yield* Ref.updateAndGet(looks, (n) => n + 1)
      const condition = yield* Ref.get(proxmox)
      if (condition === "defect") return yield* Effect.dieMessage("a fault of our own")
      return observation(condition, count, yield* Ref.get(hold))
    })
  })
  const client = Layer.succeed(HubClient, {
    exchange: (report) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        yield* Ref.update(tries, (all) => [...all, now])
        const state = yield* Ref.get(hub)
        if (state !== "answers") {
          return yield* new HubError({
            reason: state === "away" ? "unreachable" : "unauthorized",
            hub: "hub:8443",
            detail: "ECONNREFUSED",
            mismatch: null
          })
        }
        const all = yield* Ref.updateAndGet(taken, (before) => [...before, report])
        return {
          typ: envelopeType,
          host: report.host.id,
          hostEpoch: report.host.epoch,
          serverTime: EpochMillis.make(now),
          nextReportSeconds: 10,
          acked: Math.max(0, ...all.flatMap(({ events }) => events.map(({ seq }) => seq))),
          ops: [],
          signers: [],
          ...yield* Ref.get(answer)
        }
      })
  })
  const files = Layer.succeed(DurableFile, {
    read: (path) => Effect.map(Ref.get(disk), (map) => Option.fromNullable(map.get(path))),
    replace: (path, content) =>
      Effect.flatMap(Ref.get(readOnly), (refused) =>
        refused
          ? new DurableFileError({ operation: "replace", path, code: "EROFS", detail: "read-only file system" })
          : Ref.update(disk, (map) => new Map(map).set(path, content)))
  })
  const layer = Layer.mergeAll(observer, client, StateFile.layer("/state")).pipe(
    Layer.provideMerge(Layer.merge(files, NodeCrypto.layer))
  )
  const start = Effect.fork(
    Daemon.run({ node: NodeName.make("demo"), bootId: null }).pipe(Effect.provide(layer))
  )
  return { proxmox, hold, hub, answer, looks, tries, taken, readOnly, start }
})

const kinds = (reports: ReadonlyArray<HostReport>): ReadonlyArray<string> =>
  reports.flatMap((report) => report.events.map((event) => event.kind))

describe("the daemon", () => {
  it.effect("reports at once, then at the hub's pace, with numbers that go up by one", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.start
      yield* TestClock.adjust("60 seconds")
      const taken = yield* Ref.get(world.taken)
      expect(taken.length).toBeGreaterThanOrEqual(5)
      expect(taken.length).toBeLessThanOrEqual(7)
      expect(taken.map((report) => report.sequence)).toEqual(taken.map((_, index) => index + 1))
      expect(kinds(taken)).toEqual(["agent.started"])
    }))

  it.effect("sends the inventory once, again when it changed, and whenever the hub asks", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.start
      yield* TestClock.adjust("35 seconds")
      const full = Effect.map(Ref.get(world.taken), (all) => all.filter((report) => report.inventory !== null).length)
      expect(yield* full).toBe(1)
      yield* Ref.set(world.hold, true)
      yield* TestClock.adjust("35 seconds")
      expect(yield* full).toBe(2)
      yield* Ref.set(world.answer, { want: "full" })
      yield* TestClock.adjust("35 seconds")
      expect(yield* full).toBeGreaterThanOrEqual(4)
    }))

  it.effect("backs off while the hub is away, goes on looking, and loses no event", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.start
      yield* TestClock.adjust("15 seconds")
      yield* Ref.set(world.hub, "away")
      yield* Ref.set(world.tries, [])
      const looksBefore = yield* Ref.get(world.looks)
      yield* TestClock.adjust("5 minutes")
      yield* Ref.set(world.proxmox, { state: "unreachable", reason: "connection refused" })
      yield* TestClock.adjust("5 minutes")
      yield* Ref.set(world.proxmox, { state: "ok" })
      yield* TestClock.adjust("20 minutes")
      const tries = yield* Ref.get(world.tries)
      expect(tries.length).toBeLessThan(20)
      const pauses = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
      expect(Math.max(...pauses)).toBeLessThanOrEqual(312_000)
      expect(pauses.at(-1)).toBeGreaterThan(pauses[0] ?? 0)
      // Looking goes on at the hub's last pace of 10 s, ten per cent either way.
      expect((yield* Ref.get(world.looks)) - looksBefore).toBeGreaterThan(160)
      yield* Ref.set(world.hub, "answers")
      yield* TestClock.adjust("6 minutes")
      const events = (yield* Ref.get(world.taken)).flatMap((report) => report.events)
      expect(events.map((event) => event.kind)).toEqual([
        "agent.started",
        "hub.unreachable",
        "proxmox.unreachable",
        "proxmox.recovered",
        "hub.recovered"
      ])
      expect(events.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5])
    }))

  it.effect("keeps events over a restart, and says that it stopped", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* Ref.set(world.hub, "away")
      const first = yield* world.start
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(first)
      yield* Ref.set(world.hub, "answers")
      yield* world.start
      yield* TestClock.adjust("60 seconds")
      const taken = yield* Ref.get(world.taken)
      expect(kinds(taken)).toEqual(["agent.started", "hub.unreachable", "agent.stopped", "agent.started"])
      expect(taken[0]?.sequence).toBe(2)
    }))

  it.effect("goes on reporting while its state folder is read-only, tells that once, and repeats no number afterwards", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const first = yield* world.start
      yield* TestClock.adjust("15 seconds")
      yield* Ref.set(world.readOnly, true)
      yield* TestClock.adjust("60 seconds")
      yield* Fiber.interrupt(first)
      yield* Ref.set(world.readOnly, false)
      yield* world.start
      yield* TestClock.adjust("90 seconds")
      const taken = yield* Ref.get(world.taken)
      expect(kinds(taken)).toEqual(["agent.started", "state.unwritable", "agent.started"])
      const sequences = taken.map((report) => report.sequence ?? 0)
      expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b))
      const numbers = taken.flatMap((report) => report.events.map(({ seq }) => seq))
      expect(numbers).toEqual([1, 2, 3])
    }))

  it.effect("says that its state folder can be written again", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.start
      yield* TestClock.adjust("15 seconds")
      yield* Ref.set(world.readOnly, true)
      yield* TestClock.adjust("30 seconds")
      yield* Ref.set(world.readOnly, false)
      yield* TestClock.adjust("30 seconds")
      expect(kinds(yield* Ref.get(world.taken))).toEqual(["agent.started", "state.unwritable", "state.recovered"])
    }))

  it.effect("says that a hub refuses it apart from a hub that is away", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* Ref.set(world.hub, "refuses")
      yield* world.start
      yield* TestClock.adjust("5 seconds")
      yield* Ref.set(world.hub, "answers")
      yield* TestClock.adjust("10 minutes")
      expect(kinds(yield* Ref.get(world.taken))).toEqual(["agent.started", "hub.refused", "hub.recovered"])
    }))

  it.effect("survives a fault of its own, and does not turn in circles over it", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* Ref.set(world.proxmox, "defect")
      const fiber = yield* world.start
      yield* TestClock.adjust("2 minutes")
      expect(yield* Ref.get(world.looks)).toBeLessThanOrEqual(6)
      expect(Option.isNone(yield* Fiber.poll(fiber))).toBe(true)
      yield* Ref.set(world.proxmox, { state: "ok" })
      yield* TestClock.adjust("1 minute")
      expect((yield* Ref.get(world.taken)).length).toBeGreaterThan(0)
    }))

  it.effect("lets no hub make it flood, fall silent, or drop what it does not understand in silence", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* Ref.set(world.answer, { nextReportSeconds: 0, ops: [{ payload: "e30=", signatures: [] }] })
      yield* world.start
      yield* TestClock.adjust("60 seconds")
      const flooded = yield* Ref.get(world.taken)
      expect(flooded.length).toBeLessThanOrEqual(15)
      expect(kinds(flooded)).toEqual(["agent.started", "envelope.ignored"])
      yield* Ref.set(world.answer, { nextReportSeconds: 1e9 })
      yield* TestClock.adjust("10 seconds")
      yield* Ref.set(world.taken, [])
      yield* TestClock.adjust("70 minutes")
      expect((yield* Ref.get(world.taken)).length).toBeGreaterThanOrEqual(1)
    }))
})
