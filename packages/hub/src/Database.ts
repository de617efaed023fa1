import { Migrator, SqlClient, type Statement } from "@effect/sql"
import { Context, Effect, Either, Layer, Schema } from "effect"
import { join } from "node:path"
import { DataFolder, makeFolder } from "./DataFolder.ts"
import { migrations } from "./Migrations.ts"
import * as StoreConnection from "./StoreConnection.ts"
import { detailOf, type SqlText } from "./StoreConnection.ts"
import { type StoreChanged, StoreError } from "./StoreError.ts"
import type { StoreStamp } from "./StoreWriter.ts"
import * as StoreWriter from "./StoreWriter.ts"

/**
 * The hub's one database file: write-ahead log, synced at every commit. Reads happen on this thread and answer at once, from
 * the last commit; writes happen on a thread of their own, so that no reader waits for a writer or for the disk.
 *
 * There is no transaction over several calls on purpose. What must happen together goes through `write`, one batch; several
 * callers' batches may share one commit, and one that fails leaves the others as they are.
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
  /** The same for what every report needs: texts as they are, without building them anew each time. */
  readonly readText: <A, I>(row: Schema.Schema<A, I>, text: SqlText) => Effect.Effect<ReadonlyArray<A>, StoreError>
  readonly writeTexts: (texts: ReadonlyArray<SqlText>) => Effect.Effect<ReadonlyArray<number>, StoreError>
  /**
   * `writeTexts`, but only if no other program wrote to the store since it had this stamp: for what follows from values that
   * were `remembered`.
   */
  readonly writeTextsIfUnchanged: (
    stamp: StoreStamp,
    texts: ReadonlyArray<SqlText>
  ) => Effect.Effect<ReadonlyArray<number>, StoreError | StoreChanged>
  /** The stamp that remembered values go by; to be taken before them. */
  readonly stamp: () => StoreStamp
  /** `readText` without a step of the runtime: what the last commit holds, read when it is called. */
  readonly rowsNow: <A, I>(row: Schema.Schema<A, I>, text: SqlText) => Either.Either<ReadonlyArray<A>, StoreError>
  /** The one text that a statement gives, or undefined; read at once, for what is looked at with every report. */
  readonly textNow: (text: SqlText) => Either.Either<string | undefined, StoreError>
  /**
   * Reads each key once, until something was written with `write`, or another program's writing was seen. Until this program
   * writes, that is not: so what is stored on the word of such a value goes through `writeTextsIfUnchanged`.
   */
  readonly remembered: <A>(
    read: (key: string) => Either.Either<A, StoreError>
  ) => (key: string) => Either.Either<A, StoreError>
  /** Fails when nothing can be stored any more, because the thread that writes is gone. */
  readonly died: Effect.Effect<never, StoreError>
}>() {}

const migrate = (path: string): Effect.Effect<void, StoreError> =>
  Effect.gen(function*() {
    const connection = yield* StoreConnection.open(path)
    const sql = yield* StoreConnection.sqlClient(connection)
    yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations) }).pipe(
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
            detail: error._tag === "SqlError" ? detailOf(error.cause) : error.message
          })
      )
    )
  }).pipe(Effect.scoped)

/** So much is remembered of each kind; beyond that all is read anew. */
const rememberedKeys = 20_000

const make = Effect.gen(function*() {
  const folder = yield* DataFolder
  const path = join(folder.path, "hub.db")
  yield* Effect.try({
    try: () => makeFolder(folder.path),
    catch: (cause) => new StoreError({ reason: "open", path: folder.path, detail: detailOf(cause) })
  })
  yield* migrate(path)
  const connection = yield* StoreConnection.open(path)
  const sql = yield* StoreConnection.sqlClient(connection)
  const writer = yield* StoreWriter.make(path)

  const textOf = (statement: Statement.Statement<unknown>): SqlText => {
    const [text, parameters] = statement.compile()
    return { sql: text, parameters }
  }

  const unread = (reason: "corrupt" | "read", detail: string) => Either.left(new StoreError({ reason, path, detail }))

  const rowsNow = <A, I>(row: Schema.Schema<A, I>, text: SqlText): Either.Either<ReadonlyArray<A>, StoreError> => {
    // Not over an array's schema, which would be compiled anew each time.
    const decode = Schema.decodeUnknownEither(row)
    const found: Array<A> = []
    try {
      for (const raw of connection.rows(text)) {
        const decoded = decode(raw)
        if (Either.isLeft(decoded)) return unread("corrupt", decoded.left.message)
        found.push(decoded.right)
      }
    } catch (cause) {
      return unread("read", detailOf(cause))
    }
    return Either.right(found)
  }

  const textNow = (text: SqlText): Either.Either<string | undefined, StoreError> => {
    let found: unknown
    try {
      found = connection.first(text)
    } catch (cause) {
      return unread("read", detailOf(cause))
    }
    return found === undefined || typeof found === "string"
      ? Either.right(found)
      : unread("corrupt", `where a text should be is ${found === null ? "nothing" : `a ${typeof found}`}`)
  }

  const readText = <A, I>(row: Schema.Schema<A, I>, text: SqlText): Effect.Effect<ReadonlyArray<A>, StoreError> =>
    Effect.suspend(() => rowsNow(row, text))

  // How often something was written with `write`: counted once it is on disk, or failed.
  let writes = 0
  const remembered = <A>(read: (key: string) => Either.Either<A, StoreError>) => {
    const known = new Map<string, Either.Either<A, StoreError>>()
    let since = writes
    let stamp = writer.stamp()
    return (key: string): Either.Either<A, StoreError> => {
      if (since !== writes || stamp !== writer.stamp() || known.size >= rememberedKeys) {
        known.clear()
        since = writes
        stamp = writer.stamp()
      }
      const found = known.get(key)
      if (found !== undefined) return found
      const value = read(key)
      if (Either.isRight(value)) known.set(key, value)
      return value
    }
  }

  return Database.of({
    path,
    remembered,
    sql,
    died: writer.died,
    rowsNow,
    textNow,
    readText,
    read: (row, statement) => Effect.suspend(() => readText(row, textOf(statement))),
    writeTexts: writer.write,
    writeTextsIfUnchanged: writer.writeIfUnchanged,
    stamp: writer.stamp,
    write: (statements) =>
      Effect.ensuring(
        Effect.suspend(() => writer.write(statements.map(textOf))),
        Effect.sync(() => writes += 1)
      )
  })
})

export const layer: Layer.Layer<Database, StoreError, DataFolder> = Layer.scoped(Database, make).pipe(
  Layer.ensureRequirementsType<DataFolder>()
)
