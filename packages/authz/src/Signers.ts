import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { Context, Effect, Either, Layer, Option, Schema } from "effect"
import { type AllowedSigners, readAllowedSigners } from "./AllowedSigners.ts"
import { nothingRevoked, readRevocationList, type RevocationList } from "./RevocationList.ts"

/** Nobody's signature counts on this host at present. */
export class SignersUnavailable extends Schema.TaggedError<SignersUnavailable>()("SignersUnavailable", {
  reason: Schema.Literal("no-signers", "signers", "revocations"),
  detail: Schema.String
}) {
  override get message(): string {
    return `nobody may sign for this host: ${this.detail}`
  }
}

/** Whose signatures count now. */
export interface SignersReading {
  readonly signers: AllowedSigners
  readonly revoked: RevocationList
  /** Of the allow-list that holds. */
  readonly sha256: Sha256Hex
  /** Why the allow-list that is there now can't be taken; until it is mended the last good one holds (protocol 5). */
  readonly problem: Option.Option<string>
}

/** Root's lists of who may sign for this host, and of who may not any more; read anew each time. */
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

const make = ({ allowed, revoked }: SignerFiles) =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const crypto = yield* Crypto
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

    return Signers.of({
      current: Effect.zipWith(allowList, revocations, (listed, revoked) => ({ ...listed, revoked }))
    })
  })

/** Reads root's files. */
export const layer = (files: SignerFiles): Layer.Layer<Signers, never, DurableFile | Crypto> =>
  Layer.effect(Signers, make(files)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto>())
