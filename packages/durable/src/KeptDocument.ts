import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import { Effect, Option, ParseResult, Ref, Schema } from "effect"

/**
 * What was kept can't be had, or can't be replaced. Whatever depends on it is refused meanwhile; what does not, like reporting, goes
 * on.
 *
 * - `io`: the file system said no. What was kept before still holds.
 * - `unreadable`: the file is there, and is none that this version wrote.
 */
export class KeptDocumentError extends Schema.TaggedError<KeptDocumentError>()("KeptDocumentError", {
  reason: Schema.Literal("io", "unreadable"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return this.reason === "io"
      ? this.detail
      : `${this.path}: ${this.detail}; was it written by a newer felhom-agent? Keep a copy and restore it. Without it the host ` +
        "begins anew from root's own files: stop the agent, move it away, start the agent"
  }
}

/** One document in the state folder that is replaced whole, for one process at a time. */
export interface KeptDocument<A> {
  /** None while nothing was ever kept. */
  readonly current: Effect.Effect<Option.Option<A>, KeptDocumentError>
  /** Puts what `next` makes of the present one in its place. One after the other; on the disk when it answers. */
  readonly change: <E, R>(
    next: (current: Option.Option<A>) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | KeptDocumentError, R>
}

const text = { decode: new TextDecoder(), encode: new TextEncoder() }

/**
 * Reads the file at its first use and keeps it in memory from then on. `understand` says what is wrong with one that the schema
 * takes; the schema's `typ` carries the version. One that can't be read is never overwritten, and is read anew each time.
 */
export const makeKeptDocument = <A, I>(options: {
  readonly path: string
  readonly schema: Schema.Schema<A, I>
  readonly understand: (kept: A) => Effect.Effect<void, string>
}): Effect.Effect<KeptDocument<A>, never, DurableFile> =>
  Effect.gen(function*() {
    const { path, schema, understand } = options
    const files = yield* DurableFile
    const json = Schema.parseJson(schema)
    const known = yield* Ref.make(Option.none<Option.Option<A>>())
    const one = yield* Effect.makeSemaphore(1)
    const unreadable = (detail: string) => new KeptDocumentError({ reason: "unreadable", path, detail })
    const io = Effect.mapError((error: DurableFileError) =>
      new KeptDocumentError({ reason: "io", path, detail: error.message })
    )

    const load = Effect.gen(function*() {
      const found = yield* io(files.read(path))
      if (Option.isNone(found)) return Option.none<A>()
      const kept = yield* Effect.mapError(
        Schema.decodeUnknown(json)(text.decode.decode(found.value), { onExcessProperty: "error" }),
        (error) =>
          unreadable(
            ParseResult.ArrayFormatter.formatErrorSync(error).slice(0, 3).map(({ message, path }) =>
              (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`).slice(0, 300)
            ).join("; ")
          )
      )
      yield* Effect.mapError(understand(kept), unreadable)
      return Option.some(kept)
    })
    const loaded = Effect.tap(load, (found) => Ref.set(known, Option.some(found)))
    const orLoaded = (found: Option.Option<Option.Option<A>>, otherwise: typeof loaded) =>
      Option.match(found, { onNone: () => otherwise, onSome: Effect.succeed })
    const inTurn = Effect.flatMap(Ref.get(known), (found) => orLoaded(found, loaded))

    return {
      // What is known waits for nobody: a change asks for it, too, while it is under way.
      current: Effect.flatMap(Ref.get(known), (found) => orLoaded(found, one.withPermits(1)(inTurn))),
      change: (next) =>
        one.withPermits(1)(
          Effect.flatMap(Effect.flatMap(inTurn, next), (kept) =>
            // Where the write fails, the one before holds, whichever of the two is on the disk: both were good.
            Effect.orDie(Schema.encode(json)(kept)).pipe(
              Effect.flatMap((encoded) => io(files.replace(path, text.encode.encode(encoded)))),
              Effect.zipRight(Ref.set(known, Option.some(Option.some(kept)))),
              Effect.as(kept),
              Effect.uninterruptible
            ))
        )
    }
  })
