import { describe, it } from "@effect/vitest"
import * as Database from "@felhom/hub/Database"
import { TokenStore } from "@felhom/hub/TokenStore"
import { Effect, Either, Option, Redacted } from "effect"
import Libsql from "libsql"
import { expect } from "vitest"
import { storeLayer } from "./TestStore.ts"

/** Another program at the same store, as `felhom-hub token` is beside a running hub. */
const otherProgram = Effect.flatMap(Database.Database, ({ path }) =>
  Effect.acquireRelease(
    Effect.sync(() => new Libsql(path)),
    (db) => Effect.sync(() => db.close())
  ))

describe("a token that is looked up", () => {
  it.scopedLive("is as another program left it, again and again", () =>
    Effect.gen(function*() {
      const tokens = yield* TokenStore
      const { row, token } = yield* tokens.create("host", "attic")
      expect(yield* tokens.find(token)).toEqual(Option.some(row))
      const other = yield* otherProgram
      other.prepare("UPDATE token SET revoked_at = 7 WHERE hash = ?").run([row.hash])
      expect(yield* tokens.find(token)).toEqual(Option.some({ ...row, revokedAt: 7 }))
      other.prepare("DELETE FROM token WHERE hash = ?").run([row.hash])
      expect(yield* tokens.find(token)).toEqual(Option.none())
    }).pipe(Effect.provide(storeLayer)))

  it.scopedLive("holds nothing open in the store: its log can be written back to the end", () =>
    Effect.gen(function*() {
      const tokens = yield* TokenStore
      const { token } = yield* tokens.create("host", "attic")
      const other = yield* otherProgram
      other.prepare("PRAGMA busy_timeout = 0").all()
      yield* tokens.find(token)
      expect(other.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all()).toEqual([{ busy: 0, log: 0, checkpointed: 0 }])
    }).pipe(Effect.provide(storeLayer)))

  it.scopedLive("is refused with the store's name when its row is damaged, and unknown when it has another shape", () =>
    Effect.gen(function*() {
      const tokens = yield* TokenStore
      const { row, token } = yield* tokens.create("host", "attic")
      const other = yield* otherProgram
      other.prepare("UPDATE token SET role = 'king' WHERE hash = ?").run([row.hash])
      const damaged = Either.flip(tokens.find(token))
      expect(Either.getOrThrow(damaged)).toMatchObject({ reason: "corrupt" })
      expect(Either.getOrThrow(damaged).message).toContain("hub.db")
      expect(yield* tokens.find(Redacted.make("felhom_host_short"))).toEqual(Option.none())
    }).pipe(Effect.provide(storeLayer)))
})

it.scopedLive("what is no text, and what can't be read, is told as the store's own fault", () =>
  Effect.gen(function*() {
    const { textNow } = yield* Database.Database
    expect(textNow({ sql: "SELECT epoch FROM store WHERE only = 2", parameters: [] })).toEqual(Either.right(undefined))
    const reasonOf = (sql: string) => Either.mapLeft(textNow({ sql, parameters: [] }), ({ reason }) => reason)
    expect(reasonOf("SELECT only FROM store")).toEqual(Either.left("corrupt"))
    expect(reasonOf("SELECT trimmed_at FROM store")).toEqual(Either.left("corrupt"))
    expect(reasonOf("SELECT nothing FROM nowhere")).toEqual(Either.left("read"))
  }).pipe(Effect.provide(storeLayer)))
