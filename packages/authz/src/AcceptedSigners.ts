import { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeSigners, type SignersBefore, type SignersDocument } from "@felhom/domain/SignersDocument"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { type KeptDocumentError, makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Clock, Context, Effect, Either, Encoding, Layer, Option, Schema } from "effect"
import { type AllowedSigners, readAllowedSigners } from "./AllowedSigners.ts"
import { readRevocationList, type RevocationList } from "./RevocationList.ts"

/** A version of the fleet's signers, read. */
export interface SignersVersion {
  readonly bytes: Uint8Array
  /** Of these exact bytes. */
  readonly sha256: Sha256Hex
  readonly document: SignersDocument
  readonly signers: AllowedSigners
  readonly revoked: RevocationList
  /** What a version that continues from this one has as its `from`. */
  readonly lists: SignersBefore
}

/** The version that was taken last. */
export interface HeldSigners extends SignersVersion {
  /** SHA-256 of root's allow-list at that time: this one's holds while that is the same. */
  readonly anchor: Sha256Hex
}

/** A list within a document that can't be read. */
export interface BadList {
  readonly list: "allowedSigners" | "revoked"
  readonly detail: string
}

const utf8 = new TextEncoder()

/** Reads the lists of a document. */
export const readVersion = (
  bytes: Uint8Array,
  sha256: Sha256Hex,
  document: SignersDocument
): Effect.Effect<SignersVersion, BadList, Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const texts = { allowedSigners: utf8.encode(document.allowedSigners), revoked: utf8.encode(document.revoked) }
    return {
      bytes,
      sha256,
      document,
      signers: yield* Either.mapLeft(
        readAllowedSigners(texts.allowedSigners),
        ({ place }): BadList => ({ list: "allowedSigners", detail: place })
      ),
      revoked: yield* Either.mapLeft(
        readRevocationList(texts.revoked),
        ({ detail }): BadList => ({ list: "revoked", detail })
      ),
      lists: {
        allowedSigners: yield* crypto.sha256(texts.allowedSigners),
        revoked: yield* crypto.sha256(texts.revoked)
      }
    }
  })

/** The last version of the fleet's signers that this host took, in the state folder. */
export class AcceptedSigners extends Context.Tag("felhom/authz/AcceptedSigners")<AcceptedSigners, {
  readonly current: Effect.Effect<Option.Option<HeldSigners>, KeptDocumentError>
  /** Takes the version that `next` answers with in the place of the present one. One after the other; on the disk when it answers. */
  readonly change: <E, R>(
    next: (current: Option.Option<HeldSigners>) => Effect.Effect<HeldSigners, E, R>
  ) => Effect.Effect<HeldSigners, E | KeptDocumentError, R>
}>() {}

const Kept = Schema.Struct({
  typ: Schema.Literal("felhom/accepted-signers/v1"),
  anchor: Sha256Hex,
  sha256: Sha256Hex,
  at: EpochMillis,
  /** The exact bytes of the document, in base64. */
  document: Schema.String
})
type Kept = typeof Kept.Type

/** Keeps `accepted-signers.json` in the state folder. */
export const make = (
  directory: string
): Effect.Effect<typeof AcceptedSigners.Service, never, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    let last: HeldSigners | undefined

    const read = ({ anchor, document, sha256 }: Kept): Effect.Effect<HeldSigners, string> =>
      Effect.gen(function*() {
        if (last?.sha256 === sha256 && last.anchor === anchor) return last
        const bytes = yield* decodeCanonicalBase64(document)
        if ((yield* crypto.sha256(bytes)) !== sha256) {
          return yield* Effect.fail("what it holds has not the hash it names")
        }
        const decoded = yield* Either.mapLeft(decodeSigners(bytes), ({ detail }) => detail)
        const version = yield* Effect.mapError(readVersion(bytes, sha256, decoded), ({ detail }) => detail)
        last = { ...version, anchor }
        return last
      }).pipe(Effect.provideService(Crypto, crypto))

    const kept = yield* makeKeptDocument({
      path: `${directory.replace(/\/+$/, "")}/accepted-signers.json`,
      schema: Kept,
      understand: (found) => Effect.asVoid(read(found))
    })
    // What was kept was understood before.
    const understood = (found: Option.Option<Kept>) =>
      Option.isNone(found) ? Effect.succeedNone : Effect.asSome(Effect.orDie(read(found.value)))

    return AcceptedSigners.of({
      current: Effect.flatMap(kept.current, understood),
      change: (next) =>
        kept.change((found) =>
          Effect.gen(function*() {
            const { anchor, bytes, sha256 } = yield* next(yield* understood(found))
            return {
              typ: "felhom/accepted-signers/v1" as const,
              anchor,
              sha256,
              at: EpochMillis.make(yield* Clock.currentTimeMillis),
              document: Encoding.encodeBase64(bytes)
            }
          })
        ).pipe(Effect.flatMap((written) => Effect.orDie(read(written))))
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<AcceptedSigners, never, DurableFile | Crypto> =>
  Layer.effect(AcceptedSigners, make(directory)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto>())
