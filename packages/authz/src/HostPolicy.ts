import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { OpName } from "@felhom/domain/SignedOp"
import { parseStrictJson } from "@felhom/domain/StrictJson"
import { Context, Effect, Either, Layer, Option, ParseResult, Schema } from "effect"
import { mostSignatures } from "./Threshold.ts"

const Threshold = Schema.Int.pipe(Schema.between(1, mostSignatures))
const orElse = <A>(value: A) => ({ default: () => value })

/**
 * Root's file on the host (protocol 3), as far as this version knows it: who has to sign, for which op. Closed: a key that this
 * version does not know refuses the file, since nobody knows what it was to forbid.
 */
export const PolicyDocument = Schema.Struct({
  typ: Schema.Literal("felhom/policy/v1"),
  signatures: Schema.optionalWith(
    Schema.Struct({
      /** Distinct signers that an op needs, where `thresholds` does not name it. */
      threshold: Schema.optionalWith(Threshold, orElse(1)),
      thresholds: Schema.optionalWith(Schema.partial(Schema.Record({ key: OpName, value: Threshold })), orElse({})),
      /** Keys that are files count, too. */
      softwareKeys: Schema.optionalWith(Schema.Boolean, orElse(true)),
      /** Security keys must have asked for a PIN or a finger. */
      verification: Schema.optionalWith(Schema.Boolean, orElse(false))
    }),
    orElse({ threshold: 1, thresholds: {}, softwareKeys: true, verification: false })
  )
})
export type PolicyDocument = typeof PolicyDocument.Type

/** What holds where root wrote no policy. */
export const usualPolicy: PolicyDocument = Schema.decodeSync(PolicyDocument)({ typ: "felhom/policy/v1" })

/** How many distinct signers the op needs. */
export const thresholdFor = ({ signatures }: PolicyDocument, op: OpName): number =>
  signatures.thresholds[op] ?? signatures.threshold

/** The policy as it was read just now. */
export interface PolicyReading {
  /** The last good one; the usual one where there never was a file. */
  readonly policy: PolicyDocument
  /** Of the file that it came from; null where there is none. */
  readonly sha256: Sha256Hex | null
  /** Why the file that is there now can't be taken. While there is one, nothing is destroyed on this host. */
  readonly problem: Option.Option<string>
}

/** What root allows on this host, read anew each time. */
export class HostPolicy extends Context.Tag("felhom/authz/HostPolicy")<HostPolicy, {
  readonly current: Effect.Effect<PolicyReading>
}>() {}

const longest = 256 * 1024

const parse = (bytes: Uint8Array): Either.Either<PolicyDocument, string> =>
  Either.flatMap(
    Either.mapLeft(parseStrictJson(bytes, longest), ({ message }) => message),
    (json) =>
      Either.mapLeft(
        Schema.decodeUnknownEither(PolicyDocument, { onExcessProperty: "error" })(json),
        (error) => ParseResult.TreeFormatter.formatErrorSync(error)
      )
  )

const make = (path: string) =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const crypto = yield* Crypto
    let good: { readonly policy: PolicyDocument; readonly sha256: Sha256Hex | null } = {
      policy: usualPolicy,
      sha256: null
    }
    const kept = (why: string): PolicyReading => ({ ...good, problem: Option.some(`${path}: ${why}`) })

    const current = Effect.gen(function*() {
      const found = yield* files.read(path)
      if (Option.isNone(found)) {
        return good.sha256 === null
          ? { ...good, problem: Option.none() }
          : kept("the file was there and is gone; put it back, or start the agent anew to go on without")
      }
      const sha256 = yield* crypto.sha256(found.value)
      if (sha256 === good.sha256) return { ...good, problem: Option.none() }
      const parsed = parse(found.value)
      if (Either.isLeft(parsed)) return kept(`it is no policy that this version knows: ${parsed.left}`)
      good = { policy: parsed.right, sha256 }
      return { ...good, problem: Option.none() }
    }).pipe(Effect.catchAll((error) => Effect.succeed(kept(error.detail))))

    return HostPolicy.of({ current })
  })

/** Reads root's file at the path. */
export const layer = (path: string): Layer.Layer<HostPolicy, never, DurableFile | Crypto> =>
  Layer.effect(HostPolicy, make(path)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto>())
