import { decodeGolden, type GoldenManifest, type GoldenName } from "@felhom/domain/GoldenManifest"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { type KeptDocumentError, makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Clock, Context, Effect, Either, Layer, Option, Schema } from "effect"
import { GoldenRefused } from "./GoldenRefused.ts"

/** The signed bytes of a manifest, as they were brought to this host. */
export interface SignedGolden {
  /** In base64. */
  readonly payload: string
  readonly signatures: ReadonlyArray<string>
}

/** A manifest that was accepted here. Whether its signatures still count is asked each time that it is used. */
export interface HeldGolden {
  readonly manifest: GoldenManifest
  readonly signed: SignedGolden
}

const Kept = Schema.Struct({
  typ: Schema.Literal("felhom/golden-images/v1"),
  images: Schema.Array(
    Schema.Struct({ payload: Schema.String, signatures: Schema.Array(Schema.String), at: EpochMillis })
  )
})

const heldOf = ({ payload, signatures }: SignedGolden): Either.Either<HeldGolden, string> =>
  Either.flatMap(decodeCanonicalBase64(payload), (bytes) =>
    Either.mapBoth(decodeGolden(bytes), {
      onLeft: ({ message }) => message,
      onRight: (manifest) => ({ manifest, signed: { payload, signatures } })
    }))

/** The manifests of golden images that were accepted on this host: the newest of each name. Nobody but root brings any. */
export class GoldenStore extends Context.Tag("felhom/reconciler/GoldenStore")<GoldenStore, {
  readonly held: Effect.Effect<ReadonlyArray<HeldGolden>, KeptDocumentError>
  /**
   * Keeps it in the place of the one of its name. A lower version is refused, and another manifest of the same version; the same
   * one takes the new signatures. On the disk when it answers.
   */
  readonly keep: (accepted: HeldGolden) => Effect.Effect<void, GoldenRefused | KeptDocumentError>
}>() {}

/** Why it can't follow the one that is held. */
export const versionTrouble = (next: HeldGolden, held: HeldGolden | undefined): string | undefined => {
  if (held === undefined || next.manifest.version > held.manifest.version) return undefined
  if (next.manifest.version < held.manifest.version) {
    return `it is version ${next.manifest.version}, and this host has version ${held.manifest.version}`
  }
  return next.signed.payload === held.signed.payload
    ? undefined
    : `another manifest of version ${held.manifest.version} was accepted here`
}

const nameOf = ({ manifest: { name } }: HeldGolden): GoldenName => name

/** Keeps `golden-images.json` in the state folder. */
export const make = (directory: string): Effect.Effect<typeof GoldenStore.Service, never, DurableFile> =>
  Effect.gen(function*() {
    const kept = yield* makeKeptDocument({
      path: `${directory.replace(/\/+$/, "")}/golden-images.json`,
      schema: Kept,
      understand: ({ images }) =>
        Effect.forEach(images, (image) => Effect.mapError(heldOf(image), (why) => `a manifest in it: ${why}`), {
          discard: true
        })
    })
    const heldIn = (found: Option.Option<typeof Kept.Type>): ReadonlyArray<HeldGolden> =>
      Option.match(found, {
        onNone: () => [],
        // They were read when the file was.
        onSome: ({ images }) => images.flatMap((image) => Option.toArray(Either.getRight(heldOf(image))))
      })
    return GoldenStore.of({
      held: Effect.map(kept.current, heldIn),
      keep: (accepted) =>
        Effect.asVoid(kept.change((current) =>
          Effect.gen(function*() {
            const before = heldIn(current)
            const trouble = versionTrouble(accepted, before.find((one) => nameOf(one) === nameOf(accepted)))
            if (trouble !== undefined) {
              return yield* new GoldenRefused({
                reason: "version",
                what: `golden image ${nameOf(accepted)}`,
                detail: trouble
              })
            }
            const at = EpochMillis.make(yield* Clock.currentTimeMillis)
            const others = Option.match(current, { onNone: () => [], onSome: ({ images }) => [...images] })
              .filter((_, index) => before[index] === undefined || nameOf(before[index]) !== nameOf(accepted))
            return {
              typ: "felhom/golden-images/v1" as const,
              images: [...others, { ...accepted.signed, at }]
            }
          })
        ))
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<GoldenStore, never, DurableFile> =>
  Layer.effect(GoldenStore, make(directory)).pipe(Layer.ensureRequirementsType<DurableFile>())
