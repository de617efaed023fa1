import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { Database } from "@felhom/hub/Database"
import { eventLimits } from "@felhom/hub/EventRetention"
import * as HistoryStore from "@felhom/hub/HistoryStore"
import { HostStore } from "@felhom/hub/HostStore"
import { HubSettings } from "@felhom/hub/HubSettings"
import { Ingest } from "@felhom/hub/Ingest"
import { trim } from "@felhom/hub/StoreCap"
import { Clock, Effect, Layer, Option, Schema, TestClock } from "effect"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { event, hostA, report, samples, sections, unavailable, usage, wireReport } from "./ReportBuilder.ts"
import { storeLayer } from "./TestStore.ts"

const layers = Layer.provideMerge(HistoryStore.layer, storeLayer)
const host = HostId.make(hostA)

const accept = (more: { readonly [key: string]: unknown } = {}) =>
  Effect.flatMap(Ingest, (ingest) => ingest.accept(report(more), gzipSync(JSON.stringify(wireReport(more)))))

const node = (more: object) => ({
  state: "ok",
  readAt: 0,
  value: {
    uptimeSeconds: 1,
    cpu: 0.1,
    load: [0.5, 0, 0],
    memoryTotal: 100,
    memoryUsed: 50,
    rootTotal: 100,
    rootUsed: 25,
    ...more
  }
})

const cpu = (share: number | null) => ({ samples: samples({ node: node({ cpu: share }) }) })

/** A host's past for so long. */
const past = (age: number) =>
  Effect.gen(function*() {
    const { since } = yield* HistoryStore.HistoryStore
    const now = yield* Clock.currentTimeMillis
    return Option.getOrThrow(yield* since(host, Math.max(0, now - age)))
  })

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

describe("a host's history", () => {
  it.scoped("gathers reports into spans of five minutes, the one under way among them", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 1, ...cpu(0.2) })
      yield* TestClock.adjust("1 minute")
      yield* accept({ sequence: 2, ...cpu(0.6) })
      yield* TestClock.adjust("5 minutes")
      yield* accept({ sequence: 3, ...cpu(0.5) })
      const { points, seconds } = yield* past(hour)
      expect(seconds).toBe(300)
      expect(points.map(({ at, metrics }) => [at, metrics["cpu"]])).toEqual([
        [0, { count: 2, mean: 0.4, max: 0.6 }],
        [5 * minute, { count: 1, mean: 0.5, max: 0.5 }]
      ])
      expect(points[0]?.metrics).toMatchObject({
        memory: { mean: 0.5 },
        root: { mean: 0.25 },
        load: { mean: 0.5 },
        guests: { mean: 1 },
        "storage:local": { mean: 0.1 }
      })
    }).pipe(Effect.provide(layers)))

  it.scoped("has a gap, and no zero, where nothing was known or nobody spoke", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 1, ...cpu(null) })
      yield* TestClock.adjust("20 minutes")
      yield* accept({
        sequence: 2,
        inventory: null,
        samples: samples({ node: unavailable("no answer"), guests: unavailable("no answer") }),
        sections: sections({ storage: { state: "ok", readAt: 0, value: [{ ...usage("nas", 1, 1), used: null }] } })
      })
      const { points } = yield* past(hour)
      expect(points.map(({ at }) => at)).toEqual([0, 20 * minute])
      expect(points[0]?.metrics).not.toHaveProperty("cpu")
      expect(points[0]?.metrics).toHaveProperty("memory")
      expect(points[1]?.metrics).toEqual({})
    }).pipe(Effect.provide(layers)))

  it.scoped("rolls up into hours and days, and forgets what is older than its time", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(100 * day)
      for (let step = 0; step < 3 * 24 * 2; step++) {
        yield* accept({ sequence: step + 1, ...cpu(step % 2 === 0 ? 0.2 : 0.4) })
        yield* TestClock.adjust("30 minutes")
      }
      const fine = yield* past(2 * day)
      expect(fine.seconds).toBe(300)
      expect(fine.points).toHaveLength(2 * 24 * 2)
      const hours = yield* past(3 * day)
      expect(hours.seconds).toBe(3600)
      expect(hours.points).toHaveLength(72)
      expect(hours.points[10]?.metrics["cpu"]).toEqual({ count: 2, mean: 0.3, max: 0.4 })
      const days = yield* past(90 * day)
      expect(days.seconds).toBe(86_400)
      expect(days.points.map(({ metrics }) => metrics["cpu"])).toEqual(
        Array.from({ length: 3 }, () => ({ count: 48, mean: 0.3, max: 0.4 }))
      )
      const { readText } = yield* Database
      const Oldest = Schema.Struct({ at: Schema.Int })
      const [oldest] = yield* readText(Oldest, {
        sql: "SELECT min(at) AS at FROM history WHERE seconds = 300",
        parameters: []
      })
      expect(oldest?.at).toBeGreaterThan(101 * day - hour)
    }).pipe(Effect.provide(layers)))

  it.scoped("leaves one-off reports and reports that come late out", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 5, ...cpu(0.2) })
      yield* accept({ sequence: null, ...cpu(1) })
      yield* accept({ sequence: 4, ...cpu(1) })
      expect((yield* past(hour)).points.map(({ metrics }) => metrics["cpu"]?.count)).toEqual([1])
    }).pipe(Effect.provide(layers)))
})

const stored = Effect.flatMap(Database, ({ readText }) =>
  Effect.map(
    readText(Schema.Struct({ n: Schema.Int, least: Schema.NullOr(Schema.Int) }), {
      sql: "SELECT count(*) AS n, min(seq) AS least FROM event",
      parameters: []
    }),
    ([row]) => row
  ))

const summary = Effect.flatMap(HostStore, (hosts) => Effect.map(hosts.list, ([first]) => first))

const events = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => event(from + index))

describe("events that are pruned", () => {
  it.scoped("by their number do not count as lost, nor are they stored again", () =>
    Effect.gen(function*() {
      const most = eventLimits.count
      yield* accept({ sequence: 1, events: events(1, most) })
      yield* accept({ sequence: 2, events: [event(most + 1)] })
      yield* accept({ sequence: 3, events: [event(1), event(most + 2)] })
      expect(yield* stored).toEqual({ n: most * 0.9 + 1, least: most * 0.1 + 2 })
      expect(yield* summary).toMatchObject({ events: most + 2, eventsMissing: 0 })
    }).pipe(Effect.provide(layers)))

  it.scoped("by their age go when new ones come, and only if the agent has forgotten them", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 1, events: [event(1), event(2), event(4)] })
      yield* TestClock.adjust(`${eventLimits.days + 1} days`)
      yield* accept({ sequence: 2, events: [event(5)] })
      expect(yield* stored).toEqual({ n: 2, least: 4 })
      expect((yield* accept({ sequence: 3, events: [event(3)] })).acked).toBe(5)
      expect(yield* summary).toMatchObject({ events: 5, eventsMissing: 0 })
    }).pipe(Effect.provide(layers)))
})

describe("a store at its bound", () => {
  it.scoped("throws the oldest history away and says so, and keeps each host and what it said last", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 1, events: events(1, 3000) })
      yield* TestClock.adjust("10 minutes")
      yield* accept({ sequence: 2, events: [event(3001)] })
      yield* TestClock.adjust("2 days")
      yield* trim.pipe(Effect.provide(HubSettings.layer({ reportIntervalSeconds: 30, maxStoreBytes: 1 })))
      expect(yield* stored).toEqual({ n: 200, least: 2802 })
      expect(yield* summary).toMatchObject({ sequence: 2, events: 3001, eventsMissing: 0 })
      const { points, trimmedAt } = yield* past(30 * day)
      expect(points).toHaveLength(1)
      expect(trimmedAt).toBe(2 * day + 10 * minute)
      const detail = yield* Effect.flatMap(HostStore, (hosts) => hosts.get(host))
      expect(Option.getOrThrow(detail).inventory).not.toBeNull()
      expect((yield* accept({ sequence: 3, events: [event(3002)] })).acked).toBe(3002)
    }).pipe(Effect.provide(layers)))

  it.scoped("below it loses nothing", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 1, events: events(1, 3000) })
      yield* trim
      expect(yield* stored).toEqual({ n: 3000, least: 1 })
      expect((yield* past(hour)).trimmedAt).toBeNull()
    }).pipe(Effect.provide(layers)))
})
