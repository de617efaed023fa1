import { Migrator, SqlClient } from "@effect/sql"
import { it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { Database } from "@felhom/hub/Database"
import { DataFolder } from "@felhom/hub/DataFolder"
import * as HostKeyStore from "@felhom/hub/HostKeyStore"
import { HostStore } from "@felhom/hub/HostStore"
import { Ingest } from "@felhom/hub/Ingest"
import { keptReports } from "@felhom/hub/KeptReports"
import { migrations } from "@felhom/hub/Migrations"
import * as StoreConnection from "@felhom/hub/StoreConnection"
import * as TokenStore from "@felhom/hub/TokenStore"
import { Effect, Layer, Option, Redacted, TestClock } from "effect"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { epochOne, event, hostA, hostB, inventory, report, takenAt, wireReport } from "./ReportBuilder.ts"
import { storeOver } from "./TestStore.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-hub-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const token = `felhom_host_${"t".repeat(43)}`
const publicKey = Buffer.alloc(32, 9).toString("base64")
const letter = (more: { readonly [key: string]: unknown }) => gzipSync(JSON.stringify(wireReport(more)))

/** The store of a hub 0.2.0 that one host reported to thrice, that has let it in, and that knows another by a one-off report. */
const fill = (path: string) =>
  Effect.gen(function*() {
    const store = yield* StoreConnection.open(path)
    const sql = yield* StoreConnection.sqlClient(store)
    const then = Object.fromEntries(Object.entries(migrations).filter(([name]) => name < "0003"))
    expect(Object.keys(then)).toHaveLength(2)
    yield* Migrator.make({})({ loader: Migrator.fromRecord(then) }).pipe(
      Effect.provideService(SqlClient.SqlClient, sql)
    )
    const put = (table: string, row: { readonly [column: string]: unknown }) =>
      Effect.sync(() =>
        store.rows({
          sql: `INSERT INTO ${table} (${Object.keys(row).join(", ")}) VALUES (${
            Object.keys(row).map(() => "?").join(", ")
          })`,
          parameters: Object.values(row)
        })
      )
    const { samples, sections, host } = wireReport()
    const facts = JSON.stringify({ unreadable: [], concerns: [] })
    const kept = {
      epoch: epochOne,
      first_seen: takenAt,
      last_seen: takenAt,
      taken_at: takenAt,
      promised_seconds: 30,
      samples: JSON.stringify(samples),
      sections: JSON.stringify(sections),
      report_facts: facts
    }
    yield* put("token", {
      hash: createHash("sha256").update(token).digest("hex"),
      role: "host",
      label: "attic",
      created_at: takenAt,
      host_id: hostA
    })
    yield* put("host", {
      ...kept,
      host_id: hostA,
      sequence: 3,
      identity: JSON.stringify(host),
      inventory_hash: "d".repeat(64),
      inventory: JSON.stringify(inventory()),
      inventory_facts: JSON.stringify({
        guests: { total: 2, running: 1 },
        storages: { total: 2, active: 2 },
        unreadable: [],
        concerns: []
      })
    })
    yield* put("host", {
      ...kept,
      host_id: hostB,
      identity: JSON.stringify({ ...host, id: hostB }),
      last_selftest: takenAt
    })
    yield* put("host_epoch", {
      host_id: hostA,
      epoch: epochOne,
      first_seen: takenAt,
      acked: 2,
      skipped: 0,
      dropped_before: 0,
      dropped_now: 0,
      event_count: 2,
      event_max: 2
    })
    for (const seq of [1, 2]) {
      yield* put("event", {
        host_id: hostA,
        epoch: epochOne,
        seq,
        at: takenAt,
        severity: "info",
        body: JSON.stringify(event(seq))
      })
    }
    for (const sequence of [1, 2, 3]) {
      yield* put("report", {
        host_id: hostA,
        epoch: epochOne,
        sequence,
        received_at: takenAt,
        body: letter({ sequence, ...(sequence === 1 ? {} : { inventory: null }) }),
        signature: `signature ${sequence}`
      })
    }
    yield* put("inventory_report", { host_id: hostA, body: letter({ sequence: 1 }), signature: "signature 1" })
    yield* put("selftest", { host_id: hostB, received_at: takenAt, body: letter({ sequence: null }) })
    yield* put("host_key", {
      host_id: hostA,
      public_key: publicKey,
      node: "pve",
      agent_version: "0.2.0",
      since: takenAt,
      accepted_at: takenAt,
      accepted_by: "me"
    })
    yield* put("alarm", {
      host_id: hostA,
      kind: "forged",
      message: "not by its key",
      first_at: takenAt,
      last_at: takenAt,
      count: 4
    })
  }).pipe(Effect.scoped)

it.scoped("a store of 0.2.0 comes along with all that people and agents rely on", () =>
  Effect.gen(function*() {
    const path = yield* folder
    yield* fill(join(path, "hub.db"))
    yield* TestClock.setTime(takenAt + 1000)
    yield* Effect.gen(function*() {
      const id = HostId.make(hostA)
      const hosts = yield* HostStore
      const list = yield* hosts.list
      const [a, b] = [hostA, hostB].map((wanted) => list.find(({ host }) => host.id === wanted))
      expect(a).toMatchObject({ sequence: 3, events: 2, eventsMissing: 0, guests: { total: 2, running: 1 } })
      expect(a?.attention.join(" ")).toContain("4 reports in this host's name were refused")
      expect(b).toMatchObject({ sequence: null, events: 0 })

      const kept = Option.getOrThrow(yield* keptReports(yield* Database, id))
      expect(kept.latest.signature).toBe("signature 3")
      expect(kept.inventory?.signature).toBe("signature 1")

      expect((yield* Effect.flatMap(TokenStore.TokenStore, ({ find }) => find(Redacted.make(token)))).pipe(
        Option.map(({ hostId, label }) => ({ hostId, label }))
      )).toEqual(Option.some({ hostId: hostA, label: "attic" }))
      expect((yield* Effect.flatMap(HostKeyStore.HostKeyStore, ({ standing }) => standing(id))).pinned).toBe(publicKey)

      // What the host has to tell next follows on what was stored then.
      const { accept } = yield* Ingest
      const next = report({ sequence: 4, inventory: null, events: [event(2), event(3)] })
      expect(yield* accept(next, letter({ sequence: 4 }))).toMatchObject({ acked: 3 })
      const events = Option.getOrThrow(yield* hosts.events(id, 0, 10))
      expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3])
    }).pipe(
      Effect.provide(
        Layer.provideMerge(HostKeyStore.layer, Layer.provide(storeOver, Layer.succeed(DataFolder, { path })))
      )
    )
  }))
