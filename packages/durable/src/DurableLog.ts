import { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFileError } from "@felhom/domain/port/DurableFile"
import { FileSteps, type GrowingFile } from "@felhom/domain/port/FileSteps"
import { EpochMillis } from "@felhom/domain/Time"
import { Cause, Clock, Deferred, Effect, ExecutionStrategy, Exit, FiberId, Option, Schema, Scope } from "effect"
import { DurableLogError, ioFailure } from "./DurableLogError.ts"
import { encodeFrame, encodeFrames, longestPayload, magic, parseLog, payloadLength, zerosFrom } from "./LogFormat.ts"
import * as Reserve from "./Reserve.ts"
import * as Turns from "./Turns.ts"

/** The first record of a log. A log without one has lost its beginning. */
const LogInit = Schema.Struct({
  typ: Schema.Literal("felhom/log/v1"),
  log: Schema.String,
  /** 128 random bits in hex, made with the log: a log that was lost and begun anew has another. */
  id: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/)),
  madeAt: EpochMillis
})
type LogInit = typeof LogInit.Type

const LogInitJson = Schema.parseJson(LogInit)
const text = { decode: new TextDecoder(), encode: new TextEncoder() }

export const encodeInit = (init: LogInit): Uint8Array =>
  text.encode.encode(JSON.stringify(Schema.encodeSync(LogInit)(init)))

/** What the first record says; none when it is not the beginning of the log `name`. */
export const decodeInit = (name: string, record: Uint8Array | undefined): Option.Option<LogInit> =>
  Option.flatMap(
    Option.fromNullable(record),
    (bytes) => Schema.decodeUnknownOption(LogInitJson)(text.decode.decode(bytes))
  ).pipe(Option.filter(({ log }) => log === name))

/** An append-only file whose answers hold: what was answered is there after any crash, and a crash loses nothing else. */
export interface DurableLog {
  readonly path: string
  /** 128 random bits in hex that were made with the log. */
  readonly id: string
  /** Answers once the record is on the disk. Records that come while the disk is busy are written together, under one sync. */
  readonly append: (record: Uint8Array) => Effect.Effect<void, DurableLogError>
  /** Puts a new file with these records in the place of all that was appended before. */
  readonly rewrite: (records: Iterable<Uint8Array>) => Effect.Effect<void, DurableLogError>
  /** Fails while the disk has too little space left to begin anything new. */
  readonly hasRoom: Effect.Effect<void, DurableLogError>
  /** Bytes that its records take in the file, which may have room for more behind them. */
  readonly size: Effect.Effect<number>
}

/** Is told that the disk has failed under a log: it takes nothing more until it is opened anew. */
export type Broken = (error: DurableLogError) => void

export interface LogOptions<A> {
  /** The state folder, which one process at a time may write. */
  readonly directory: string
  /** The file is `NAME.log` in that folder. */
  readonly name: string
  /** Understands the records that were there. */
  readonly load: (records: ReadonlyArray<Uint8Array>, id: string) => Effect.Effect<A, DurableLogError>
  /** What of them the file begins with from now on. */
  readonly keep: (loaded: A) => Iterable<Uint8Array>
  readonly broken?: Broken | undefined
}

/** The longest record, in bytes. */
export const longestRecord: number = longestPayload / 2

/** Records that are written together, by whoever brought the first of them. */
interface Batch {
  readonly records: Array<Uint8Array>
  bytes: number
  /** What those who brought the others wait for. */
  answer: Deferred.Deferred<void, DurableLogError> | undefined
  taken: boolean
}

const emptyBatch = (): Batch => ({ records: [], bytes: 0, answer: undefined, taken: false })

/** The file that is written to, and how long it was when it was made. */
interface OpenFile {
  readonly file: GrowingFile
  readonly scope: Scope.CloseableScope
  readonly bytes: number
}

interface Found {
  readonly records: ReadonlyArray<Uint8Array>
  readonly init: LogInit
  readonly initRecord: Uint8Array
  readonly marked: boolean
}

const readExisting = (path: string, name: string, bytes: Uint8Array, marked: boolean) =>
  Effect.gen(function*() {
    const { end, records } = parseLog(bytes)
    const refuse = (reason: DurableLogError["reason"], detail: string) => new DurableLogError({ reason, path, detail })
    if (end._tag === "foreign") {
      return yield* refuse("damaged", bytes.length === 0 ? "the file is empty" : "it does not begin as a log does")
    }
    if (end._tag === "damaged") {
      return yield* refuse(
        "damaged",
        `bytes ${end.offset} to ${end.wholeAgainAt} are damaged, with whole records after them`
      )
    }
    const [initRecord, ...others] = records
    const init = decodeInit(name, initRecord)
    if (Option.isNone(init) || initRecord === undefined) return yield* refuse("lost", "its first record is gone")
    if (end._tag === "torn") {
      yield* Effect.logInfo("the last write to a log was cut off by a crash, before it was answered; it is dropped")
        .pipe(
          Effect.annotateLogs({ path, offset: end.offset, bytes: zerosFrom(bytes) - end.offset })
        )
    }
    // A copy, as a view would keep all of the old file's bytes in memory.
    const found: Found = { records: others, init: init.value, initRecord: initRecord.slice(), marked }
    return found
  })

const find = (directory: string, name: string) =>
  Effect.gen(function*() {
    const files = yield* FileSteps
    const path = `${directory}/${name}.log`
    const bytes = yield* Effect.mapError(files.read(path), ioFailure(path))
    const marked = Option.isSome(yield* Effect.mapError(files.read(`${directory}/${name}.init`), ioFailure(path)))
    if (Option.isSome(bytes)) return yield* readExisting(path, name, bytes.value, marked)
    if (marked) return yield* new DurableLogError({ reason: "lost", path, detail: "the file was there and is gone" })
    const crypto = yield* Crypto
    const init: LogInit = {
      typ: "felhom/log/v1",
      log: name,
      id: yield* crypto.randomHex(16),
      madeAt: EpochMillis.make(yield* Clock.currentTimeMillis)
    }
    const found: Found = { records: [], init, initRecord: encodeInit(init), marked }
    return found
  })

/** Written beside the log once that is there for good: without it, a log that vanished would look like one never made. */
const mark = (directory: string, name: string, id: string) =>
  Effect.gen(function*() {
    const files = yield* FileSteps
    const file = yield* files.create(`${directory}/${name}.init`)
    yield* file.append(text.encode.encode(`${id}\n`))
    yield* file.sync
    yield* files.syncFolder(directory)
  }).pipe(Effect.scoped)

/**
 * Opens the log, or begins it. What was there is read and written to a new file, which takes the old one's place: what a crash
 * left half-done or in memory only is dropped or made durable by that, and nothing is ever cut off a file. One process at a
 * time; the caller holds the folder's lock. The file is closed with the scope.
 */
export const open = <A>(
  options: LogOptions<A>
): Effect.Effect<
  { readonly log: DurableLog; readonly loaded: A; readonly initRecord: Uint8Array },
  DurableLogError,
  FileSteps | Crypto | Scope.Scope
> =>
  Effect.gen(function*() {
    const directory = options.directory.replace(/\/+$/, "")
    const path = `${directory}/${options.name}.log`
    const files = yield* FileSteps
    const ownScope = yield* Effect.scope
    const io = Effect.mapError(ioFailure(path))

    yield* io(files.makeFolder(directory))
    const { init, initRecord, marked, records } = yield* find(directory, options.name)
    const loaded = yield* options.load(records, init.id)

    const turns = Turns.make()
    let batch = emptyBatch()
    let failure: DurableLogError | undefined

    const poison = (error: DurableFileError): DurableLogError => {
      const cause = ioFailure(path)(error)
      failure = new DurableLogError({ reason: "poisoned", path, detail: `after an error, ${cause.detail}` })
      options.broken?.(cause)
      return cause
    }
    const healthy = Effect.suspend(() => (failure === undefined ? Effect.void : Effect.fail(failure)))

    const written = (scope: Scope.CloseableScope, records: Iterable<Uint8Array>) =>
      Effect.gen(function*() {
        const file = yield* Scope.extend(files.create(`${path}.new`), scope)
        let bytes = 0
        const append = (part: Uint8Array) => {
          bytes += part.length
          return file.append(part)
        }
        yield* append(magic)
        yield* append(encodeFrame([initRecord]))
        for (const frame of encodeFrames(records)) yield* append(frame)
        yield* file.sync
        yield* files.rename(`${path}.new`, path)
        yield* files.syncFolder(directory)
        const made: OpenFile = { file, scope, bytes }
        return made
      })

    /** A new file with these records, which takes the log's name once it is on the disk. */
    const renewed = (records: Iterable<Uint8Array>) =>
      Effect.flatMap(
        Scope.fork(ownScope, ExecutionStrategy.sequential),
        (scope) => Effect.onError(written(scope, records), () => Scope.close(scope, Exit.void))
      )

    let present = yield* renewed(options.keep(loaded)).pipe(
      Effect.catchIf((error) => error.code === "ENOSPC", () =>
        Effect.zipRight(Reserve.giveUp(directory), renewed(options.keep(loaded)))),
      io
    )
    let size = present.bytes
    const replaced = (records: Iterable<Uint8Array>) =>
      Effect.flatMap(renewed(records), (next) => {
        const before = present
        present = next
        size = next.bytes
        return Scope.close(before.scope, Exit.void)
      })

    if (!marked) {
      yield* io(mark(directory, options.name, init.id))
    }
    yield* Reserve.setAside(directory)

    const flush = (mine: Batch): Effect.Effect<void, DurableLogError> => {
      mine.taken = true
      const answered = (answer: Effect.Effect<void, DurableLogError>) => {
        if (mine.answer !== undefined) {
          Deferred.unsafeDone(mine.answer, answer)
        }
        turns.leave()
        return answer
      }
      if (failure !== undefined) {
        return answered(Effect.fail(failure))
      }
      let length = 0
      // Whatever goes wrong in here, the turn ends.
      const write = Effect.suspend(() => {
        const frame = encodeFrame(mine.records)
        length = frame.length
        return present.file.appendDurably(frame)
      })
      return Effect.matchCauseEffect(write, {
        onSuccess: () => {
          size += length
          return answered(Effect.void)
        },
        onFailure: (cause) =>
          answered(Effect.failCause(Cause.map(cause, poison)))
      })
    }

    const joined = (record: Uint8Array): Batch => {
      const added = payloadLength([record])
      if (batch.taken || batch.bytes + added > longestPayload) batch = emptyBatch()
      batch.records.push(record)
      batch.bytes += added
      return batch
    }

    const append = (record: Uint8Array): Effect.Effect<void, DurableLogError> =>
      Effect.suspend(() => {
        if (failure !== undefined) return Effect.fail(failure)
        const mine = joined(record)
        return mine.records.length > 1
          // Made in the step that joins: a fiber may be held up before it begins to wait, and the answer must find it.
          ? Deferred.await(mine.answer ??= Deferred.unsafeMake<void, DurableLogError>(FiberId.none))
          // Others that are about to append in this very moment come along.
          : Effect.flatMap(Effect.yieldNow(), () => Effect.flatMap(turns.enter, () => flush(mine)))
      })

    const log: DurableLog = {
      path,
      id: init.id,
      append: (record) =>
        record.length === 0 || record.length > longestRecord
          ? Effect.dieMessage(`a record of ${record.length} bytes for ${path}`)
          : Effect.uninterruptible(append(record)),
      rewrite: (records) =>
        Effect.uninterruptible(turns.alone(Effect.zipRight(healthy, Effect.mapError(replaced(records), poison)))),
      hasRoom: Effect.flatMap(
        io(files.freeBytes(directory)),
        (free) =>
          free >= Reserve.leastFree ? Effect.void : new DurableLogError({
            reason: "full",
            path,
            detail: `only ${Math.floor(free / 1024)} KiB are free, less than the ${
              Reserve.leastFree / 1024
            } KiB that are kept`
          })
      ),
      size: Effect.sync(() => size)
    }
    return { log, loaded, initRecord }
  }).pipe(
    Effect.tapError((error) => error.reason === "io" ? Effect.sync(() => options.broken?.(error)) : Effect.void)
  )

/**
 * What opens at its first use, once: a start waits for no disk, and a log that can't be opened fails those who need it and
 * nobody else. What the first attempt said holds until the scope ends.
 */
export const openOnce = <A, E, R>(
  opening: Effect.Effect<A, E, R | Scope.Scope>
): Effect.Effect<Effect.Effect<A, E>, never, R | Scope.Scope> =>
  Effect.flatMap(
    Effect.context<R | Scope.Scope>(),
    (context) => Effect.map(Effect.cached(Effect.uninterruptible(Effect.provide(opening, context))), remembered)
  )

/** What is open is asked for several times a cycle, and `cached` takes a dozen steps to say what it knows. */
const remembered = <A, E>(once: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  let known: Effect.Effect<A> | undefined
  return Effect.suspend((): Effect.Effect<A, E> =>
    known ?? Effect.map(once, (opened) => {
      known = Effect.succeed(opened)
      return opened
    })
  )
}
