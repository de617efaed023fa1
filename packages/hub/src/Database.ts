import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlClient, type SqlError, type Statement } from "@effect/sql"
import { LibsqlClient, LibsqlMigrator } from "@effect/sql-libsql"
import { type Client, createClient, type InValue } from "@libsql/client"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { DataFolder, makeFolder } from "./DataFolder.ts"
import { migrations } from "./Migrations.ts"
import { StoreError } from "./StoreError.ts"

/**
 * The hub's one database file, reached over one connection: write-ahead log, synced at every commit.
 *
 * There is no interactive transaction in here on purpose. The driver opens a new connection after one, and that connection
 * knows nothing of the PRAGMAs that were set, so commits would no longer be synced. What must happen together goes through
 * `write`, one batch.
 */
export class Database extends Context.Tag("felhom/hub/Database")<Database, {
  readonly path: string
  /** Makes statements; they run only through `read` and `write`. */
  readonly sql: SqlClient.SqlClient
  /** Rows of a statement, decoded; a row that does not decode is `corrupt`. */
  readonly read: <A, I>(
    row: Schema.Schema<A, I>,
    statement: Statement.Statement<unknown>
  ) => Effect.Effect<ReadonlyArray<A>, StoreError>
  /** All statements or none, in one transaction, on disk when this succeeds. The numbers of changed rows. */
  readonly write: (
    statements: ReadonlyArray<Statement.Statement<unknown>>
  ) => Effect.Effect<ReadonlyArray<number>, StoreError>
}>() {}

/** How long a statement waits for another program's lock (`token create` beside a running hub), in milliseconds. */
const busyTimeout = 5_000

const detailOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const sqlDetail = (error: SqlError.SqlError): string => detailOf(error.cause)

const open = (path: string): Effect.Effect<Client, StoreError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => createClient({ url: pathToFileURL(path).href, intMode: "number" }),
      catch: (cause) => new StoreError({ reason: "open", path, detail: detailOf(cause) })
    }),
    (client) => Effect.sync(() => client.close())
  )

const tuned = (path: string, client: Client): Effect.Effect<void, StoreError> =>
  Effect.tryPromise({
    try: async () => {
      // The wait comes first: changing the journal mode needs a lock, too.
      await client.execute(`PRAGMA busy_timeout = ${busyTimeout}`)
      await client.execute("PRAGMA journal_mode = WAL")
      await client.execute("PRAGMA synchronous = FULL")
    },
    catch: (cause) => new StoreError({ reason: "open", path, detail: detailOf(cause) })
  })

/** Over a connection of its own, closed after: the migrator's transaction would cost this one its PRAGMAs. */
const migrate = (path: string): Effect.Effect<void, StoreError> =>
  Effect.gen(function*() {
    const client = yield* open(path)
    yield* tuned(path, client)
    const sql = yield* LibsqlClient.make({ liveClient: client })
    yield* LibsqlMigrator.run({ loader: LibsqlMigrator.fromRecord(migrations) }).pipe(
      Effect.provideService(SqlClient.SqlClient, sql),
      Effect.catchAllDefect((defect) =>
        // The migrator throws what a step failed with.
        Effect.fail(new StoreError({ reason: "migrate", path, detail: detailOf(defect) }))
      ),
      Effect.mapError((error) =>
        error._tag === "StoreError"
          ? error
          : new StoreError({
            reason: "migrate",
            path,
            detail: error._tag === "SqlError" ? sqlDetail(error) : error.message
          })
      )
    )
  }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

const make = Effect.gen(function*() {
  const folder = yield* DataFolder
  const path = join(folder.path, "hub.db")
  yield* Effect.try({
    try: () => makeFolder(folder.path),
    catch: (cause) => new StoreError({ reason: "open", path: folder.path, detail: detailOf(cause) })
  })
  yield* migrate(path)
  const client = yield* open(path)
  yield* tuned(path, client)
  const sql = yield* LibsqlClient.make({ liveClient: client }).pipe(Effect.provide(Reactivity.layer))
  return Database.of({
    path,
    sql,
    read: (row, statement) =>
      statement.pipe(
        Effect.mapError((error) => new StoreError({ reason: "read", path, detail: sqlDetail(error) })),
        Effect.flatMap((rows) =>
          Schema.decodeUnknown(Schema.Array(row))(rows).pipe(
            Effect.mapError((error) => new StoreError({ reason: "corrupt", path, detail: error.message }))
          )
        )
      ),
    write: (statements) =>
      Effect.tryPromise({
        try: async () => {
          const results = await client.batch(
            statements.map((statement) => {
              const [text, args] = statement.compile()
              return { sql: text, args: args as Array<InValue> }
            }),
            "write"
          )
          return results.map((result) => result.rowsAffected)
        },
        catch: (cause) => new StoreError({ reason: "write", path, detail: detailOf(cause) })
      })
  })
})

export const layer: Layer.Layer<Database, StoreError, DataFolder> = Layer.scoped(Database, make).pipe(
  Layer.ensureRequirementsType<DataFolder>()
)
