import { it } from "@effect/vitest"
import * as Database from "@felhom/hub/Database"
import { DataFolder } from "@felhom/hub/DataFolder"
import { Ingest } from "@felhom/hub/Ingest"
import * as StoreEpoch from "@felhom/hub/StoreEpoch"
import { Effect, Layer, Schema } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { report } from "./ReportBuilder.ts"
import { storeLayer } from "./TestStore.ts"

const pragmas = Effect.gen(function*() {
  const { read, sql } = yield* Database.Database
  const [mode] = yield* read(Schema.Struct({ journal_mode: Schema.String }), sql`PRAGMA journal_mode`)
  const [sync] = yield* read(Schema.Struct({ synchronous: Schema.Int }), sql`PRAGMA synchronous`)
  const [busy] = yield* read(Schema.Struct({ timeout: Schema.Int }), sql`PRAGMA busy_timeout`)
  return { ...mode, ...sync, ...busy }
})

/** 2 is FULL: a commit is on disk before it is answered. */
const durable = { journal_mode: "wal", synchronous: 2, timeout: 5000 }

it.scoped("keeps every commit synced, also after reports and a refused write", () =>
  Effect.gen(function*() {
    expect(yield* pragmas).toEqual(durable)
    const ingest = yield* Ingest
    yield* ingest.accept(report(), new Uint8Array())
    const { sql, write } = yield* Database.Database
    const refused = yield* Effect.flip(write([sql`DELETE FROM host`, sql`INSERT INTO store VALUES (1, 'x')`]))
    expect(refused.reason).toBe("write")
    yield* ingest.accept(report({ sequence: 2 }), new Uint8Array())
    expect(yield* pragmas).toEqual(durable)
  }).pipe(Effect.provide(storeLayer)))

it.scoped("writes all of a batch or nothing", () =>
  Effect.gen(function*() {
    const { read, sql, write } = yield* Database.Database
    const ingest = yield* Ingest
    yield* ingest.accept(report(), new Uint8Array())
    yield* Effect.flip(write([sql`DELETE FROM host`, sql`INSERT INTO store VALUES (1, 'x')`]))
    expect(yield* read(Schema.Struct({ n: Schema.Int }), sql`SELECT count(*) AS n FROM host`)).toEqual([{ n: 1 }])
  }).pipe(Effect.provide(storeLayer)))

it.scoped("migrates once, and keeps its epoch over a second start", () =>
  Effect.gen(function*() {
    const folder = yield* DataFolder
    const start = Effect.gen(function*() {
      const { read, sql } = yield* Database.Database
      const steps = yield* read(Schema.Struct({ name: Schema.String }), sql`SELECT name FROM effect_sql_migrations`)
      return { steps, epoch: yield* StoreEpoch.StoreEpoch }
    }).pipe(
      Effect.provide(
        Layer.fresh(StoreEpoch.layer.pipe(Layer.provideMerge(Database.layer))).pipe(
          Layer.provide(Layer.succeed(DataFolder, folder))
        )
      )
    )
    const once = yield* start
    expect(once.epoch).toMatch(/^[0-9a-f]{32}$/)
    expect(yield* start).toEqual(once)
  }).pipe(Effect.provide(storeLayer)))

it.scoped("says so when its folder is a file", () =>
  Effect.gen(function*() {
    const { path } = yield* DataFolder
    const broken = join(path, "broken")
    yield* Effect.sync(() => writeFileSync(broken, "x"))
    const error = yield* Effect.flip(
      Effect.scoped(Layer.build(Layer.fresh(Database.layer).pipe(Layer.provide(DataFolder.layer(broken)))))
    )
    expect(error.reason).toBe("open")
    expect(error.message).toContain("--data")
  }).pipe(Effect.provide(storeLayer)))
