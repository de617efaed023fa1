import { it } from "@effect/vitest"
import type { Envelope } from "@felhom/domain/Envelope"
import { Database } from "@felhom/hub/Database"
import * as Ingest from "@felhom/hub/Ingest"
import { StoreError } from "@felhom/hub/StoreError"
import { Clock, Effect, Layer, Schema, TestClock } from "effect"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { epochTwo, event, from, hostA, hostB, report, samples, storage, storages, wireReport } from "./ReportBuilder.ts"
import { storeLayer } from "./TestStore.ts"

type More = { readonly [key: string]: unknown }

const accept = (more: More) =>
  Effect.gen(function*() {
    const made = { takenAt: yield* Clock.currentTimeMillis, ...more }
    const { accept } = yield* Ingest.Ingest
    return yield* accept(report(made), gzipSync(JSON.stringify(wireReport(made))))
  })

const busy = { samples: samples({ guests: { state: "unavailable", reason: "busy" } }) }

/** Quiet reports and all that breaks the quiet, each after so many seconds. */
const days: ReadonlyArray<readonly [seconds: number, more: More]> = [
  [0, { sequence: 1 }],
  [30, { sequence: 2, inventory: null }],
  [30, { sequence: 3, inventory: null, ...busy }],
  [30, { sequence: 3, inventory: null, ...busy }],
  [30, { sequence: 4, inventory: null, events: [event(1), event(3)] }],
  [30, { sequence: 5, inventory: null }],
  [30, { sequence: 6, inventory: null, events: [event(2)] }],
  [30, { sequence: 7, inventory: null, eventsDropped: 2 }],
  [30, { sequence: 8, inventory: null, eventsDropped: 2 }],
  [30, { sequence: 9, inventoryHash: "e".repeat(64), inventory: null, eventsDropped: 2 }],
  [30, { sequence: 10, inventoryHash: "e".repeat(64), inventory: storages(storage("new")), eventsDropped: 2 }],
  [30, { sequence: 11, inventoryHash: "e".repeat(64), inventory: null, eventsDropped: 2 }],
  [30, { sequence: 5, inventory: null, eventsDropped: 2 }],
  [30, { sequence: null, inventory: null }],
  [30, { sequence: 12, inventoryHash: "e".repeat(64), inventory: null, eventsDropped: 2 }],
  [30, { sequence: 1, host: from(hostB), inventory: null }],
  [500, { sequence: 13, inventoryHash: "e".repeat(64), inventory: null, eventsDropped: 2 }],
  [30, { sequence: 15, inventory: null, eventsDropped: 2, events: [event(4), event(9)] }],
  [30, { sequence: 14, inventory: null, eventsDropped: 2, events: [5, 6, 7, 8].map((seq) => event(seq)) }],
  [30, { sequence: 16, inventory: null, eventsDropped: 2 }],
  [30, { sequence: 20, host: from(hostA, epochTwo), inventory: null, eventsDropped: 2 }],
  [30, { sequence: 21, host: from(hostA, epochTwo), inventory: null, eventsDropped: 2 }],
  [30, { sequence: 17, inventoryHash: "e".repeat(64), inventory: null, eventsDropped: 2 }],
  [30, { sequence: 22, host: from(hostA, epochTwo), inventory: null }]
]

const tables = ["host", "host_epoch", "event", "latest_report", "inventory_report", "selftest", "history"]

const Text = Schema.Struct({ text: Schema.String })

/** All that the hub keeps of its hosts. */
const stored = Effect.flatMap(Database, ({ readText }) =>
  Effect.forEach(tables, (table) =>
    Effect.gen(function*() {
      const columns = yield* readText(Text, {
        sql: "SELECT name AS text FROM pragma_table_info(?)",
        parameters: [table]
      })
      const fields = columns.map(({ text }) => text)
      const rows = yield* readText(Text, {
        sql: `SELECT json_array(${fields.map((field) => `quote(${field})`).join(", ")}) AS text FROM ${table}
          ORDER BY ${fields.map((_, index) => index + 1).slice(0, 1).join(", ")}, text`,
        parameters: []
      })
      return [table, rows] as const
    })))

it.scoped("a hub that goes on keeps and answers the same as one that is started anew before each report", () =>
  Effect.gen(function*() {
    const play = <R>(each: (more: More) => Effect.Effect<Envelope, StoreError, R>) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1_800_000_000_000)
        return yield* Effect.forEach(days, ([seconds, more]) =>
          Effect.gen(function*() {
            yield* TestClock.adjust(`${seconds} seconds`)
            return { answer: yield* each(more), kept: yield* stored }
          }))
      })
    const goesOn = yield* Effect.provide(play(accept), Layer.fresh(storeLayer))
    const forgets = yield* Effect.provide(
      play((more) => Effect.provide(accept(more), Layer.fresh(Ingest.layer))),
      Layer.fresh(storeLayer)
    )
    expect(goesOn).toEqual(forgets)
    expect(goesOn.at(-1)?.kept.find(([table]) => table === "history")?.[1]).not.toEqual([])
  }))

it.scoped("a report that could not be stored is taken when it comes again", () =>
  Effect.gen(function*() {
    const database = yield* Database
    let isFull = false
    const failing = Layer.succeed(Database, {
      ...database,
      writeTexts: (texts) =>
        isFull
          ? new StoreError({ reason: "write", path: database.path, detail: "the disk is full" })
          : database.writeTexts(texts)
    })
    yield* Effect.gen(function*() {
      yield* accept({ sequence: 1 })
      yield* accept({ sequence: 2, inventory: null })
      isFull = true
      expect((yield* Effect.flip(accept({ sequence: 3, inventory: null }))).message).toContain("the disk is full")
      isFull = false
      yield* accept({ sequence: 3, inventory: null })
    }).pipe(Effect.provide(Layer.provide(Layer.fresh(Ingest.layer), failing)))
    const Sequence = Schema.Struct({ sequence: Schema.Int })
    expect(yield* database.readText(Sequence, { sql: "SELECT sequence FROM host", parameters: [] })).toEqual([
      { sequence: 3 }
    ])
  }).pipe(Effect.provide(storeLayer)))
