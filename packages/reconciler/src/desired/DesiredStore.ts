import { decodeDesired, type DesiredDocument } from "@felhom/domain/DesiredDocument"
import { HostEpoch } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { type KeptDocumentError, makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Clock, Context, Effect, Either, Encoding, Layer, Option, Schema } from "effect"

/** How far the desired state has come on this host. */
export interface HeldDesired {
  readonly epoch: HostEpoch
  /** 0 while none of this epoch was taken. */
  readonly version: number
  /** Of the document's exact bytes; null while none of this epoch was taken. */
  readonly sha256: Sha256Hex | null
  /** The last one that was taken. It is of an earlier epoch while `version` is 0. */
  readonly document: DesiredDocument | null
}

/** What is to be kept. */
export interface NextDesired {
  readonly epoch: HostEpoch
  readonly version: number
  /** Undefined: the document stays the one that it was. */
  readonly bytes: Uint8Array | undefined
}

/** The last desired state that was taken, in the state folder. */
export class DesiredStore extends Context.Tag("felhom/reconciler/DesiredStore")<DesiredStore, {
  readonly current: Effect.Effect<Option.Option<HeldDesired>, KeptDocumentError>
  /** Keeps what `next` answers with. One after the other; on the disk when it answers. */
  readonly change: <E, R>(
    next: (current: Option.Option<HeldDesired>) => Effect.Effect<NextDesired, E, R>
  ) => Effect.Effect<void, E | KeptDocumentError, R>
}>() {}

const Kept = Schema.Struct({
  typ: Schema.Literal("felhom/accepted-desired/v1"),
  epoch: HostEpoch,
  version: Schema.NonNegativeInt,
  /** Of the document. */
  sha256: Schema.NullOr(Sha256Hex),
  at: EpochMillis,
  /** The exact bytes of the last document, in base64. */
  document: Schema.NullOr(Schema.String)
})
type Kept = typeof Kept.Type

/** Keeps `accepted-desired.json` in the state folder. */
export const make = (
  directory: string
): Effect.Effect<typeof DesiredStore.Service, never, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    let last: { readonly sha256: Sha256Hex; readonly document: DesiredDocument } | undefined

    const documentIn = ({ document, sha256 }: Kept) =>
      Effect.gen(function*() {
        if (document === null || sha256 === null) {
          return document === sha256 ? null : yield* Effect.fail("it holds a document or a hash alone")
        }
        if (last?.sha256 === sha256) return last.document
        const bytes = yield* decodeCanonicalBase64(document)
        if ((yield* crypto.sha256(bytes)) !== sha256) {
          return yield* Effect.fail("what it holds has not the hash it names")
        }
        const decoded = yield* Either.mapLeft(decodeDesired(bytes), ({ detail }) => detail)
        last = { sha256, document: decoded }
        return decoded
      })
    const read = (kept: Kept): Effect.Effect<HeldDesired, string> =>
      Effect.gen(function*() {
        const document = yield* documentIn(kept)
        const { epoch, sha256, version } = kept
        if (version === 0) return { epoch, version, sha256: null, document }
        return document?.epoch === epoch && document.version === version
          ? { epoch, version, sha256, document }
          : yield* Effect.fail("its document is of another version than it names")
      })
    const kept = yield* makeKeptDocument({
      path: `${directory.replace(/\/+$/, "")}/accepted-desired.json`,
      schema: Kept,
      understand: (found) => Effect.asVoid(read(found))
    })
    // What was kept was understood before.
    const understood = (found: Option.Option<Kept>) =>
      Option.isNone(found) ? Effect.succeedNone : Effect.asSome(Effect.orDie(read(found.value)))

    return DesiredStore.of({
      current: Effect.flatMap(kept.current, understood),
      change: (next) =>
        Effect.asVoid(kept.change((found) =>
          Effect.gen(function*() {
            const { bytes, epoch, version } = yield* next(yield* understood(found))
            const before = Option.getOrUndefined(found)
            return {
              typ: "felhom/accepted-desired/v1" as const,
              epoch,
              version,
              at: EpochMillis.make(yield* Clock.currentTimeMillis),
              ...(bytes === undefined
                ? { sha256: before?.sha256 ?? null, document: before?.document ?? null }
                : { sha256: yield* crypto.sha256(bytes), document: Encoding.encodeBase64(bytes) })
            }
          })
        ))
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<DesiredStore, never, DurableFile | Crypto> =>
  Layer.effect(DesiredStore, make(directory)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto>())
