import { describe, it } from "@effect/vitest"
import * as Database from "@felhom/hub/Database"
import * as StoreWriter from "@felhom/hub/StoreWriter"
import { Effect, Either, Exit, Fiber, Schema } from "effect"
import Libsql from "libsql"
import { Worker } from "node:worker_threads"
import { expect } from "vitest"
import { storeLayer } from "./TestStore.ts"

const host = (id: string) => ({
  sql: "INSERT INTO host_key (host_id, public_key, node, agent_version, since) VALUES (?, 'key', 'pve', '0', 0)",
  parameters: [id]
})
const faulty = { sql: "INSERT INTO store (only, epoch) VALUES (1, 'x')", parameters: [] }
const Row = Schema.Struct({ hostId: Schema.String })
const all = { sql: "SELECT host_id AS hostId FROM host_key ORDER BY host_id", parameters: [] }

/** Another program in the middle of its own writing. */
const otherWriter = Effect.gen(function*() {
  const { path } = yield* Database.Database
  const other = yield* Effect.acquireRelease(
    Effect.sync(() => new Libsql(path)),
    (db) => Effect.sync(() => db.close())
  )
  other.exec("BEGIN IMMEDIATE")
  return { end: Effect.sync(() => other.exec("COMMIT")) }
})

describe("while somebody else writes", () => {
  it.scopedLive("a read is answered at once, from the last commit, and a write waits", () =>
    Effect.gen(function*() {
      const { readText, writeTexts } = yield* Database.Database
      yield* writeTexts([host("a")])
      const other = yield* otherWriter
      const waiting = yield* Effect.fork(writeTexts([host("b")]))
      yield* Effect.yieldNow()
      expect(yield* readText(Row, all)).toEqual([{ hostId: "a" }])
      expect(waiting.unsafePoll()).toBeNull()
      yield* other.end
      expect(yield* Fiber.join(waiting)).toEqual([1])
      expect(yield* readText(Row, all)).toEqual([{ hostId: "a" }, { hostId: "b" }])
    }).pipe(Effect.provide(storeLayer)))

  it.scopedLive("batches that come to share a commit stand or fall each by itself", () =>
    Effect.gen(function*() {
      const { readText, writeTexts } = yield* Database.Database
      const other = yield* otherWriter
      const waiting = yield* Effect.fork(
        Effect.forEach(
          [[host("a")], [host("b")], [host("c"), faulty], [faulty], [host("d")]],
          (batch) => Effect.either(writeTexts(batch)),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.yieldNow()
      yield* other.end
      const answers = yield* Fiber.join(waiting)
      expect(answers.map(Either.isRight)).toEqual([true, true, false, false, true])
      expect(yield* readText(Row, all)).toEqual([{ hostId: "a" }, { hostId: "b" }, { hostId: "d" }])
    }).pipe(Effect.provide(storeLayer)))
})

it.scopedLive("what was read before another program wrote is not acted on, and what this one writes changes nothing of that", () =>
  Effect.gen(function*() {
    const { path, readText, stamp, writeTexts, writeTextsIfUnchanged } = yield* Database.Database
    const before = stamp()
    yield* writeTexts([host("a")])
    yield* writeTextsIfUnchanged(before, [host("b")])
    yield* Effect.sync(() => {
      const other = new Libsql(path)
      other.exec("UPDATE host_key SET node = 'attic'")
      other.close()
    })
    const refused = writeTextsIfUnchanged(before, [host("c")])
    expect((yield* Effect.flip(refused))._tag).toBe("StoreChanged")
    // Beside one that wants nothing of the kind, in one commit.
    const [plain, again] = yield* Effect.all([writeTexts([host("d")]), Effect.flip(refused)], {
      concurrency: "unbounded"
    })
    expect([plain, again._tag]).toEqual([[1], "StoreChanged"])
    yield* writeTextsIfUnchanged(stamp(), [host("e")])
    expect((yield* readText(Row, all)).map(({ hostId }) => hostId)).toEqual(["a", "b", "d", "e"])
  }).pipe(Effect.provide(storeLayer)))

it.scopedLive("a statement that can't be understood is refused each time, and the others keep their meaning", () =>
  Effect.gen(function*() {
    const { readText, writeTexts } = yield* Database.Database
    const nonsense = { sql: "NONSENSE", parameters: [] }
    const renamed = { sql: "UPDATE host_key SET node = ? WHERE host_id = ?", parameters: ["attic", "b"] }
    expect((yield* Effect.flip(writeTexts([host("a"), nonsense, renamed]))).message).toContain("NONSENSE")
    // The same text twice in the batch that brings it.
    expect(yield* writeTexts([host("a"), host("b"), renamed])).toEqual([1, 1, 1])
    expect((yield* Effect.flip(writeTexts([nonsense]))).message).toContain("NONSENSE")
    // What can't be said to the thread at all takes nothing else with it.
    const unsayable = { sql: "DELETE FROM host_key WHERE host_id <> ?", parameters: [() => "b"] }
    expect(Exit.isFailure(yield* Effect.exit(writeTexts([unsayable])))).toBe(true)
    expect(yield* writeTexts([{ ...unsayable, parameters: ["b"] }])).toEqual([1])
    expect(yield* readText(Row, all)).toEqual([{ hostId: "b" }])
  }).pipe(Effect.provide(storeLayer)))

it.scopedLive("bytes come back as they were given, also out of a larger buffer", () =>
  Effect.gen(function*() {
    const { readText, writeTexts } = yield* Database.Database
    const bytes = Buffer.from([0, 1, 2, 255, 4]).subarray(1, 4)
    yield* writeTexts([{
      sql: "INSERT INTO inventory_report (host_id, body, signature) VALUES ('a', ?, NULL)",
      parameters: [bytes]
    }])
    const Hex = Schema.Struct({ hex: Schema.String })
    expect(yield* readText(Hex, { sql: "SELECT hex(body) AS hex FROM inventory_report", parameters: [] })).toEqual([
      { hex: "0102FF" }
    ])
  }).pipe(Effect.provide(storeLayer)))

/** A thread that says that it is ready, and dies of the first thing that it is told. */
const mortal = () =>
  new Worker(
    "const { parentPort } = require('node:worker_threads'); parentPort.postMessage([]); " +
      "parentPort.on('message', () => process.exit(3))",
    { eval: true }
  )

it.scopedLive("a thread that dies fails what waits for it, and whatever comes after", () =>
  Effect.gen(function*() {
    const writer = yield* StoreWriter.make("/somewhere/hub.db", mortal)
    const lost = yield* Effect.flip(writer.write([host("a")]))
    expect(lost.message).toContain(
      "the store /somewhere/hub.db cannot be written: the thread that writes it ended with 3"
    )
    expect(yield* Effect.flip(writer.write([host("b")]))).toBe(lost)
    expect(yield* Effect.flip(writer.died)).toBe(lost)
  }))
