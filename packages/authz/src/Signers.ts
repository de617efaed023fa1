import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import type { SignersBefore } from "@felhom/domain/SignersDocument"
import { Context, Effect, Either, Layer, Option, Schema } from "effect"
import { AcceptedSigners, type HeldSigners } from "./AcceptedSigners.ts"
import { type AllowedSigners, readAllowedSigners } from "./AllowedSigners.ts"
import { bothRevoked, nothingRevoked, readRevocationList, type RevocationList } from "./RevocationList.ts"

/** Nobody's signature counts on this host at present. */
export class SignersUnavailable extends Schema.TaggedError<SignersUnavailable>()("SignersUnavailable", {
  reason: Schema.Literal("no-signers", "signers", "revocations", "store"),
  detail: Schema.String
}) {
  override get message(): string {
    return `nobody may sign for this host: ${this.detail}`
  }
}

/** Whose signatures count now. */
export interface SignersReading {
  readonly signers: AllowedSigners
  /** Root's list and the fleet's, together. */
  readonly revoked: RevocationList
  /** Of the allow-list that holds. */
  readonly sha256: Sha256Hex
  /** Root's own files. */
  readonly root: { readonly sha256: Sha256Hex; readonly revoked: RevocationList }
  /** The version of the fleet's signers that was taken last. */
  readonly held: Option.Option<HeldSigners>
  /** Whether that one's allow-list is the one that holds. Root's does, once root has edited it since. */
  readonly followed: boolean
  /** What a version that continues from here has as its `from`. */
  readonly lists: SignersBefore
  /** Why the allow-list that is there now can't be taken; until it is mended the last good one holds (protocol 5). */
  readonly problem: Option.Option<string>
}

/**
 * Who may sign for this host, and who may not any more; read anew each time. Root's word stands above the fleet's: the fleet's list
 * holds only while root's file is the one that it was taken beside, and what either has revoked is revoked.
 */
export class Signers extends Context.Tag("felhom/authz/Signers")<Signers, {
  readonly current: Effect.Effect<SignersReading, SignersUnavailable>
}>() {}

export interface SignerFiles {
  /** In the form of OpenSSH (ALLOWED SIGNERS in ssh-keygen(1)). */
  readonly allowed: string
  readonly revoked: {
    readonly path: string
    /** Somebody configured it: where it is missing, nobody counts. */
    readonly required: boolean
  }
}

interface Good {
  readonly signers: AllowedSigners
  readonly sha256: Sha256Hex
}

/** Reads root's files. */
export const make = (
  { allowed, revoked }: SignerFiles
): Effect.Effect<typeof Signers.Service, never, DurableFile | Crypto | AcceptedSigners> =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const crypto = yield* Crypto
    const accepted = yield* AcceptedSigners
    const emptyList = yield* crypto.sha256("")
    let good: Option.Option<Good> = Option.none()

    const kept = (reason: "no-signers" | "signers", detail: string) =>
      Option.match(good, {
        onNone: () => Effect.fail(new SignersUnavailable({ reason, detail })),
        onSome: (before) => Effect.succeed({ ...before, problem: Option.some(detail) })
      })

    const allowList = Effect.gen(function*() {
      const found = yield* files.read(allowed)
      if (Option.isNone(found)) {
        return yield* kept("no-signers", `there is no ${allowed}; root puts the signers' public keys there`)
      }
      const sha256 = yield* crypto.sha256(found.value)
      if (Option.isSome(good) && good.value.sha256 === sha256) return { ...good.value, problem: Option.none() }
      const parsed = readAllowedSigners(found.value)
      if (Either.isLeft(parsed)) return yield* kept("signers", `${allowed}: ${parsed.left.place}`)
      const read: Good = { signers: parsed.right, sha256 }
      good = Option.some(read)
      return { ...read, problem: Option.none() }
    }).pipe(Effect.catchTag("DurableFileError", (error) => kept("signers", error.message)))

    const unusable = (detail: string) => new SignersUnavailable({ reason: "revocations", detail })
    const revocations = Effect.gen(function*() {
      const found = yield* Effect.mapError(files.read(revoked.path), (error) => unusable(error.message))
      if (Option.isNone(found)) {
        if (!revoked.required) return nothingRevoked
        return yield* unusable(`the list of revoked keys ${revoked.path} is configured and is not there`)
      }
      return yield* Either.mapLeft(readRevocationList(found.value), (error) =>
        unusable(`${revoked.path}: ${error.detail}`))
    })

    const ofFleet = Effect.mapError(
      accepted.current,
      ({ message }) =>
        new SignersUnavailable({ reason: "store", detail: message })
    )

    return Signers.of({
      current: Effect.gen(function*() {
        const listed = yield* allowList
        const rootRevoked = yield* revocations
        const held = yield* ofFleet
        const root = { sha256: listed.sha256, revoked: rootRevoked }
        if (Option.isNone(held)) {
          const lists = { allowedSigners: listed.sha256, revoked: emptyList }
          return { ...listed, revoked: rootRevoked, root, held, followed: false, lists }
        }
        const revoked = bothRevoked(rootRevoked, held.value.revoked)
        if (held.value.anchor === listed.sha256) {
          const { lists, signers } = held.value
          return { ...listed, signers, revoked, sha256: lists.allowedSigners, root, held, followed: true, lists }
        }
        const lists = { allowedSigners: listed.sha256, revoked: held.value.lists.revoked }
        return { ...listed, revoked, root, held, followed: false, lists }
      })
    })
  })

/** What `make` reads. */
export const layer = (files: SignerFiles): Layer.Layer<Signers, never, DurableFile | Crypto | AcceptedSigners> =>
  Layer.effect(Signers, make(files)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto | AcceptedSigners>())
