import { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeSigners, type SignersBefore, type SignersDocument } from "@felhom/domain/SignersDocument"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import { Context, Effect, Either, Layer, type Option } from "effect"
import { type AllowedSigners, readAllowedSigners } from "./AllowedSigners.ts"
import { type Anchored, keptIn, makeKeptBytes } from "./KeptBytes.ts"
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

const read = ({ anchor, bytes, sha256 }: Anchored): Effect.Effect<HeldSigners, string, Crypto> =>
  Effect.gen(function*() {
    // Root's list is where a host begins: there is always one.
    if (anchor === null) return yield* Effect.fail("it names no list of root's")
    const document = yield* Either.mapLeft(decodeSigners(bytes), ({ detail }) => detail)
    const version = yield* Effect.mapError(readVersion(bytes, sha256, document), ({ detail }) => detail)
    return { ...version, anchor }
  })

/** Keeps `accepted-signers.json` in the state folder. */
export const make = (
  directory: string
): Effect.Effect<typeof AcceptedSigners.Service, never, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    return AcceptedSigners.of(
      yield* makeKeptBytes({
        path: keptIn(directory, "accepted-signers.json"),
        typ: "felhom/accepted-signers/v1",
        understand: (found) => Effect.provideService(read(found), Crypto, crypto)
      })
    )
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<AcceptedSigners, never, DurableFile | Crypto> =>
  Layer.effect(AcceptedSigners, make(directory)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto>())
