import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { Database } from "@felhom/hub/Database"
import { HostStore } from "@felhom/hub/HostStore"
import { Ingest } from "@felhom/hub/Ingest"
import { Clock, Effect, Option, Schema, TestClock } from "effect"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { epochTwo, event, from, guests, hostA, hostB, report, storage, storages, wireReport } from "./ReportBuilder.ts"
import { storeLayer } from "./TestStore.ts"

/** Takes a report that was made at this moment, by a clock that goes right. */
const accept = (more: { readonly [key: string]: unknown } = {}) =>
  Effect.gen(function*() {
    const made = { takenAt: yield* Clock.currentTimeMillis, ...more }
    const ingest = yield* Ingest
    return yield* ingest.accept(report(made), gzipSync(JSON.stringify(wireReport(made))))
  })

const shown = Effect.flatMap(HostStore, (hosts) => hosts.list)

const first = Effect.map(shown, ([summary]) => summary)

const detail = Effect.flatMap(HostStore, (hosts) => hosts.get(HostId.make(hostA))).pipe(Effect.flatMap((host) => host))

const eventNumbers = Effect.flatMap(HostStore, (hosts) => hosts.events(HostId.make(hostA), 0, 100)).pipe(
  Effect.map((events) => Option.getOrThrow(events).map(({ seq }) => seq))
)

const counted = (table: "latest_report" | "selftest") =>
  Effect.flatMap(
    Database,
    ({ read, sql }) =>
      Effect.map(
        read(Schema.Struct({ n: Schema.Int }), sql`SELECT count(*) AS n FROM ${sql(table)}`),
        ([row]) => row?.n
      )
  )

describe("a report", () => {
  it.scoped("that comes twice is stored once and answered twice", () =>
    Effect.gen(function*() {
      const once = yield* accept({ events: [event(1), event(2)] })
      const twice = yield* accept({ events: [event(1), event(2)] })
      expect(twice).toEqual(once)
      expect(yield* first).toMatchObject({ events: 2, eventsMissing: 0, attention: [] })
      expect(yield* counted("latest_report")).toBe(1)
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("that comes late adds its events and changes nothing of what is shown", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 3, events: [event(2)], inventory: storages(storage("new")) })
      const answer = yield* accept({ sequence: 2, events: [event(1)], inventory: storages(storage("old")) })
      expect(answer.acked).toBe(2)
      expect((yield* first)?.sequence).toBe(3)
      expect((yield* detail).inventory?.storages).toMatchObject({ value: [{ storage: "new" }] })
      expect(yield* eventNumbers).toEqual([1, 2])
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("without an inventory keeps the one that is held, if its hash is that one's", () =>
    Effect.gen(function*() {
      yield* accept()
      expect((yield* accept({ sequence: 2, inventory: null })).want).toBeUndefined()
      expect((yield* detail).inventory).not.toBeNull()
      expect((yield* accept({ sequence: 3, inventory: null, inventoryHash: "e".repeat(64) })).want).toBe("full")
      expect((yield* first)?.guests).toEqual({ total: 2, running: 1 })
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("of a host without any inventory yet asks for all of it", () =>
    Effect.gen(function*() {
      expect((yield* accept({ inventory: null })).want).toBe("full")
      expect(yield* first).toMatchObject({ guests: null, storages: null })
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("is kept as it came, the latest of each host", () =>
    Effect.gen(function*() {
      yield* Effect.forEach([1, 2, 3, 4, 5], (sequence) => accept({ sequence }))
      yield* accept({ host: from(hostB) })
      expect(yield* counted("latest_report")).toBe(2)
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("that is one-off stands beside what is shown", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 7, events: [event(1)] })
      yield* TestClock.adjust("10 seconds")
      const answer = yield* accept({ sequence: null, events: [event(9)], inventory: guests() })
      expect(answer.acked).toBe(1)
      expect(yield* first).toMatchObject({
        sequence: 7,
        lastSeen: 0,
        lastSelftest: 10_000,
        events: 1,
        guests: { total: 2 }
      })
      expect(yield* counted("selftest")).toBe(1)
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("that is one-off is shown until the first numbered one comes", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: null })
      expect(yield* first).toMatchObject({ sequence: null, attention: [expect.stringContaining("daemon")] })
      yield* accept({ sequence: 1 })
      expect(yield* first).toMatchObject({ sequence: 1, attention: [] })
    }).pipe(Effect.provide(storeLayer)))
})

describe("events", () => {
  it.scoped("behind a gap are stored and not acknowledged, until the gap is closed", () =>
    Effect.gen(function*() {
      expect((yield* accept({ events: [event(1), event(4)] })).acked).toBe(1)
      expect((yield* first)?.eventsMissing).toBe(2)
      expect((yield* accept({ sequence: 2, events: [event(2), event(3)] })).acked).toBe(4)
      expect(yield* first).toMatchObject({ events: 4, eventsMissing: 0, attention: [] })
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("that the agent dropped are passed over, counted, and told for a day", () =>
    Effect.gen(function*() {
      yield* accept({ events: [event(1)] })
      expect((yield* accept({ sequence: 2, events: [event(5)], eventsDropped: 3 })).acked).toBe(5)
      expect(yield* first).toMatchObject({ eventsMissing: 3, attention: ["3 events were lost"] })
      yield* TestClock.adjust("25 hours")
      yield* accept({ sequence: 3, eventsDropped: 3 })
      expect(yield* first).toMatchObject({ eventsMissing: 3, attention: [] })
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("keep signs that would end a text", () =>
    Effect.gen(function*() {
      const message = "null \u0000, quote ', tag <script>, emoji 🦊"
      yield* accept({ events: [event(1, { message })] })
      const events = yield* Effect.flatMap(HostStore, (hosts) => hosts.events(HostId.make(hostA), 0, 1))
      expect(Option.getOrThrow(events)[0]?.message).toBe(message)
    }).pipe(Effect.provide(storeLayer)))
})

describe("a new host epoch", () => {
  it.scoped("starts events and sequence anew, and the old one never comes back", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 40, events: [event(1), event(2)] })
      const answer = yield* accept({ host: from(hostA, epochTwo), sequence: 1, events: [event(1)] })
      expect(answer).toMatchObject({ hostEpoch: epochTwo, acked: 1 })
      expect(yield* first).toMatchObject({ sequence: 1, events: 1, eventsMissing: 0 })
      const late = yield* accept({ sequence: 41, events: [event(3)] })
      expect(late.acked).toBe(3)
      expect(yield* first).toMatchObject({ sequence: 1, host: { epoch: epochTwo } })
      expect(yield* eventNumbers).toEqual([1])
    }).pipe(Effect.provide(storeLayer)))
})

describe("the list of hosts", () => {
  it.scoped("says since when a host is silent, and puts it first", () =>
    Effect.gen(function*() {
      yield* accept({ host: from(hostA, undefined, "attic") })
      yield* TestClock.adjust("50 seconds")
      expect((yield* first)?.presence).toBe("late")
      yield* TestClock.adjust("670 seconds")
      yield* accept({ host: from(hostB, undefined, "barn") })
      expect(yield* shown).toMatchObject([
        { host: { node: "attic" }, presence: "silent", attention: ["silent for 12 min"] },
        { host: { node: "barn" }, presence: "online", attention: [] }
      ])
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("names the newest host that came under the same node name, if it came after the old one had gone", () =>
    Effect.gen(function*() {
      const [hostC, hostD, hostE] = ["c".repeat(32), "d".repeat(32), "e".repeat(32)]
      yield* accept({ host: from(hostA) })
      yield* accept({ host: from(hostD, epochTwo, "elsewhere") })
      yield* accept({ host: from(hostE, epochTwo, "elsewhere") })
      yield* TestClock.adjust("1 hour")
      yield* accept({ host: from(hostB) })
      yield* TestClock.adjust("1 hour")
      yield* accept({ host: from(hostC) })
      const said = Object.fromEntries((yield* shown).map(({ attention, host }) => [host.id, attention.join()]))
      expect(said[hostA]).toContain(`another host of this name reports since (${hostC.slice(0, 8)})`)
      expect(said[hostB]).toContain(`another host of this name reports since (${hostC.slice(0, 8)})`)
      expect(said[hostC]).toBe("")
      // Two homes may both have a node of that name.
      expect([said[hostD], said[hostE]]).toEqual(["silent for 2 h", "silent for 2 h"])
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("asks whether a disk was set back when old reports keep coming", () =>
    Effect.gen(function*() {
      yield* accept({ sequence: 500 })
      yield* accept({ sequence: 500 })
      yield* Effect.forEach([400, 401], (sequence) => accept({ sequence }))
      expect((yield* first)?.attention).toEqual([])
      yield* accept({ sequence: 402 })
      expect((yield* first)?.attention).toEqual([expect.stringContaining("sequence 402 after 500")])
    }).pipe(Effect.provide(storeLayer)))
})
