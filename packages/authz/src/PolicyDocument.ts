import { DesiredPolicy, usualDesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { HostStoragePolicy, noHostStorage } from "@felhom/domain/HostStoragePolicy"
import { OpName } from "@felhom/domain/SignedOp"
import { parseStrictJson } from "@felhom/domain/StrictJson"
import { Either, ParseResult, Schema } from "effect"
import { mostSignatures } from "./Threshold.ts"

const Threshold = Schema.Int.pipe(Schema.between(1, mostSignatures))
const orElse = <A>(value: A) => ({ default: () => value })

/**
 * A host's policy (protocol 3), as far as this version knows it: who has to sign, for which op, and what is done
 * for a desired state. Closed: a key that this version
 * does not know refuses it, since nobody knows what it was to forbid.
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
  ),
  /** How far the host goes for a desired state. */
  desired: Schema.optionalWith(DesiredPolicy, orElse(usualDesiredPolicy)),
  /** The storages that the agent sets up and keeps here. */
  storage: Schema.optionalWith(HostStoragePolicy, orElse(noHostStorage))
})
export type PolicyDocument = typeof PolicyDocument.Type

/** What holds where root wrote no policy. */
export const usualPolicy: PolicyDocument = Schema.decodeSync(PolicyDocument)({ typ: "felhom/policy/v1" })

/** How many distinct signers the op needs. */
export const thresholdFor = ({ signatures }: PolicyDocument, op: OpName): number =>
  signatures.thresholds[op] ?? signatures.threshold

/** The most signers that any op needs. */
export const highestThreshold = ({ signatures }: PolicyDocument): number =>
  Math.max(signatures.threshold, ...Object.values(signatures.thresholds).filter((own) => own !== undefined))

const longest = 256 * 1024

/** Reads one strictly; says what is wrong with it. */
export const parsePolicy = (bytes: Uint8Array): Either.Either<PolicyDocument, string> =>
  Either.flatMap(
    Either.mapLeft(parseStrictJson(bytes, longest), ({ message }) => message),
    (json) =>
      Either.mapLeft(
        Schema.decodeUnknownEither(PolicyDocument, { onExcessProperty: "error" })(json),
        (error) => ParseResult.TreeFormatter.formatErrorSync(error)
      )
  )
