import { DurableFile } from "@felhom/domain/port/DurableFile"
import { FleetId } from "@felhom/domain/SignersDocument"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { configFolder } from "./ConfigFolder.ts"
import { OperatorError } from "./OperatorError.ts"

/** A version of a fleet's signers as it was signed. */
const Version = Schema.Struct({ payload: Schema.String, signatures: Schema.Array(Schema.String) })

/** A fleet's signers as far as this person followed them. */
export const KnownFleet = Schema.Struct({
  fleet: FleetId,
  /** How many have to sign a new list, as the hosts' policies ask for `signers.update`. */
  threshold: Schema.Int.pipe(Schema.between(1, 16)),
  /** Where it began for this person: with the list that root put on the hosts, or with a version that a host said it has. */
  anchor: Schema.Union(Schema.Struct({ allowedSigners: Schema.String }), Schema.Struct({ version: Version })),
  /** The versions since, each verified by the one before, oldest first. */
  versions: Schema.Array(Version),
  /** Root's own list, where root edited it after the last of them: it holds in its place, until a version continues from it. */
  root: Schema.optional(Schema.String)
})
export type KnownFleet = typeof KnownFleet.Type

/** The chains of signers that this person verified, in their own folder: what a hub says of one is held against them. */
export class KnownSigners extends Context.Tag("felhom/operator/KnownSigners")<KnownSigners, {
  readonly fleets: Effect.Effect<ReadonlyArray<KnownFleet>, OperatorError>
  /** Keeps the fleet, over what was known of it. */
  readonly keep: (known: KnownFleet) => Effect.Effect<void, OperatorError>
}>() {}

const Kept = Schema.parseJson(Schema.Struct({ fleets: Schema.Array(KnownFleet) }))

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const make = Effect.gen(function*() {
  const files = yield* DurableFile
  const folder = yield* configFolder
  const place = Option.match(folder, {
    onNone: () => Effect.fail(usage("there is no place to keep signers: set HOME or XDG_CONFIG_HOME")),
    onSome: (path) => Effect.succeed(`${path}/signers.json`)
  })

  const fleets = Effect.gen(function*() {
    if (Option.isNone(folder)) return []
    const path = yield* place
    const found = yield* Effect.mapError(files.read(path), ({ message }) => usage(message))
    if (Option.isNone(found)) return []
    const kept = yield* Effect.mapError(
      Schema.decode(Kept)(new TextDecoder().decode(found.value)),
      () => usage(`${path} does not read as what felhom wrote; move it away, then: felhom signers trust --host HOST`)
    )
    return kept.fleets
  })

  return KnownSigners.of({
    fleets,
    keep: (known) =>
      Effect.gen(function*() {
        const path = yield* place
        const others = (yield* fleets).filter(({ fleet }) => fleet !== known.fleet)
        const text = `${JSON.stringify({ fleets: [...others, known] })}\n`
        yield* Effect.mapError(files.replace(path, new TextEncoder().encode(text)), ({ message }) => usage(message))
      })
  })
})

export const layer: Layer.Layer<KnownSigners, never, DurableFile> = Layer.effect(KnownSigners, make).pipe(
  Layer.ensureRequirementsType<DurableFile>()
)
