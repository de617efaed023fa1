import type { DurableFileError } from "@felhom/domain/port/DurableFile"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"

/** Since when nothing new is started on this host, who said so, and why. */
export const HoldState = Schema.Struct({
  typ: Schema.Literal("felhom/hold/v1"),
  since: EpochMillis,
  by: Schema.String,
  reason: Schema.String
})
export type HoldState = typeof HoldState.Type

/**
 * A person's word that nothing new is started on this host (protocol 3). It is a file in the state folder: while there is one,
 * whatever it holds, the host is held. The hub has no way to it; an operator's signed `hold.release` and root have.
 */
export class Hold extends Context.Tag("felhom/durable/Hold")<Hold, {
  /** None when nothing holds the host. A file that can't be read or understood holds it. */
  readonly current: Effect.Effect<Option.Option<HoldState>>
  /** One that is there already stays as it is. Answers with the one that holds now. */
  readonly set: (by: string, reason: string) => Effect.Effect<HoldState, DurableFileError>
  readonly release: Effect.Effect<void, DurableFileError>
}>() {}

/** The file that holds the host, for whoever only asks whether it is there. */
export const fileIn = (directory: string): string => `${directory.replace(/\/+$/, "")}/hold`

const HoldJson = Schema.parseJson(HoldState)
const text = { decode: new TextDecoder(), encode: new TextEncoder() }

const unreadable = (reason: string): HoldState => ({
  typ: "felhom/hold/v1",
  since: EpochMillis.make(0),
  by: "unknown",
  reason
})

/** Keeps the file `hold` in the state folder. It is read anew each time, since root may make or remove it by hand. */
export const make = (directory: string): Effect.Effect<typeof Hold.Service, never, FileSteps> =>
  Effect.gen(function*() {
    const files = yield* FileSteps
    const folder = directory.replace(/\/+$/, "")
    const path = fileIn(directory)
    const one = yield* Effect.makeSemaphore(1)

    const current = files.read(path).pipe(
      Effect.map(Option.map((bytes) =>
        Option.getOrElse(
          Schema.decodeUnknownOption(HoldJson)(text.decode.decode(bytes)),
          () => unreadable(`the file ${path} is there, and is none that the agent wrote`)
        )
      )),
      Effect.catchAll((error) => Effect.succeedSome(unreadable(error.message)))
    )
    const write = (state: HoldState) =>
      Effect.gen(function*() {
        yield* files.makeFolder(folder)
        const file = yield* files.create(`${path}.new`)
        yield* file.append(text.encode.encode(yield* Effect.orDie(Schema.encode(HoldJson)(state))))
        yield* file.sync
        yield* files.rename(`${path}.new`, path)
        yield* files.syncFolder(folder)
        return state
      }).pipe(Effect.scoped)

    return Hold.of({
      current,
      set: (by, reason) =>
        one.withPermits(1)(Effect.uninterruptible(Effect.gen(function*() {
          const held = yield* current
          if (Option.isSome(held)) return held.value
          const since = EpochMillis.make(yield* Clock.currentTimeMillis)
          return yield* write({ typ: "felhom/hold/v1", since, by, reason })
        }))),
      release: one.withPermits(1)(
        Effect.uninterruptible(Effect.zipRight(files.remove(path), files.syncFolder(folder)))
      )
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<Hold, never, FileSteps> =>
  Layer.effect(Hold, make(directory)).pipe(Layer.ensureRequirementsType<FileSteps>())
