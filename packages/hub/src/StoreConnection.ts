import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlClient, SqlError, Statement } from "@effect/sql"
import type { Connection } from "@effect/sql/SqlConnection"
import { Effect, type Scope } from "effect"
import Libsql from "libsql"
import { StoreError } from "./StoreError.ts"

/** What a statement's parameter may be. */
export type SqlValue = string | number | bigint | null | Uint8Array

/** A statement's text with a `?` for each parameter. Texts are kept prepared, so nothing that varies belongs into them. */
export interface SqlText {
  readonly sql: string
  readonly parameters: ReadonlyArray<unknown>
}

/**
 * Every connection to the store: write-ahead log, synced at every commit, and a wait for another program's lock (`token create`
 * beside a running hub). The wait comes first: changing the journal mode needs a lock, too.
 */
export const pragmas: ReadonlyArray<string> = [
  "PRAGMA busy_timeout = 5000",
  "PRAGMA journal_mode = WAL",
  "PRAGMA synchronous = FULL"
]

export const detailOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

/** A connection on this thread. It answers at once, from the last commit, whoever is writing. */
export interface StoreConnection {
  /** Runs a statement and gives its rows; throws as the driver does. */
  readonly rows: (text: SqlText) => ReadonlyArray<unknown>
  /**
   * The first column of a statement's first row; undefined without a row. It is one call into the driver instead of three, and
   * leaves nothing open: the next statement sees the last commit.
   */
  readonly first: (text: SqlText) => unknown
}

/** The driver binds a Buffer and no other bytes. */
const bindable = (value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value

/** Opens a connection, which is closed with the scope. */
export const open = (path: string): Effect.Effect<StoreConnection, StoreError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.try({
        try: () => {
          const db = new Libsql(path)
          for (const pragma of pragmas) db.prepare(pragma).all()
          return db
        },
        catch: (cause) => new StoreError({ reason: "open", path, detail: detailOf(cause) })
      }),
      (db) => Effect.sync(() => db.close())
    ),
    (db) => {
      const prepared = new Map<string, ReturnType<typeof db.prepare>>()
      const preparedFirst = new Map<string, ReturnType<typeof db.prepare>>()
      return {
        rows: ({ parameters, sql }) => {
          let statement = prepared.get(sql)
          if (statement === undefined) {
            statement = db.prepare(sql)
            prepared.set(sql, statement)
          }
          return statement.all(parameters.map(bindable))
        },
        first: ({ parameters, sql }) => {
          let statement = preparedFirst.get(sql)
          if (statement === undefined) {
            // Without the columns' names, which are not asked for.
            statement = db.prepare(sql).raw()
            preparedFirst.set(sql, statement)
          }
          const row: unknown = statement.get(parameters.map(bindable))
          return Array.isArray(row) ? row[0] : undefined
        }
      }
    }
  )

const connectionOf = (store: StoreConnection): Connection => {
  const run = (sql: string, parameters: ReadonlyArray<unknown>) =>
    Effect.try({
      try: () => store.rows({ sql, parameters }),
      catch: (cause) => new SqlError.SqlError({ cause, message: "a statement failed" })
    })
  return {
    execute: run,
    executeRaw: run,
    executeUnprepared: run,
    executeValues: () => Effect.dieMessage("the hub reads rows by their columns' names"),
    executeStream: () => Effect.dieMessage("the hub reads no stream of rows")
  }
}

/** Makes statements, and runs migrations: what serves reads them through `Database.read` and writes through `Database.write`. */
export const sqlClient = (store: StoreConnection): Effect.Effect<SqlClient.SqlClient> =>
  Effect.provide(
    SqlClient.make({
      acquirer: Effect.succeed(connectionOf(store)),
      compiler: Statement.makeCompilerSqlite(),
      // Two programs that start at once wait for each other here.
      beginTransaction: "BEGIN IMMEDIATE",
      spanAttributes: [["db.system.name", "sqlite"]]
    }),
    Reactivity.layer
  )
