import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { Effect, Either } from "effect"
import { onlyName } from "./PatternList.ts"
import { refused, type SignatureRefused } from "./SignatureRefused.ts"
import { type Judgement, type Verified, verifySignature } from "./VerifySignature.ts"

/** More signatures than this are not looked at: each costs a verification. */
export const mostSignatures = 16

/** One who signed, by the one plain name that the allow-list has for the key. */
export interface Signatory {
  readonly principal: string
  readonly fingerprint: string
}

/**
 * Whose signature it is, where nobody asked for a principal. A key that stands under two names, or under a pattern, could be
 * two people, or one who counts twice: it counts for nobody.
 */
const signatory = (verified: Verified, { signers }: Judgement): Either.Either<Signatory, SignatureRefused> => {
  const names = new Set(signers.withKey(verified.key.blob).map(({ principals }) => onlyName(principals)))
  const [principal] = names
  return names.size === 1 && principal !== undefined
    ? Either.right({ principal, fingerprint: verified.fingerprint })
    : Either.left(refused("ambiguous", `the key ${verified.fingerprint} is listed under more than one plain name`))
}

/** The signatories whose names and keys are all different, in the order in which they signed. */
const distinct = (signatories: ReadonlyArray<Signatory>): ReadonlyArray<Signatory> => {
  const kept: Array<Signatory> = []
  for (const one of signatories) {
    if (kept.every(({ fingerprint, principal }) => fingerprint !== one.fingerprint && principal !== one.principal)) {
      kept.push(one)
    }
  }
  return kept
}

/**
 * Whether enough signers signed the same bytes (protocol 5, step 9): `threshold` distinct keys of distinct principals, each
 * with a signature that counts by itself. Signatures beyond those may be bad; a relay that adds one can't undo the others.
 */
export const verifyThreshold = (
  armored: ReadonlyArray<string | Uint8Array>,
  judgement: Judgement,
  threshold: number
): Effect.Effect<ReadonlyArray<Signatory>, SignatureRefused, SignatureCrypto> =>
  Effect.gen(function*() {
    if (!Number.isInteger(threshold) || threshold < 1 || armored.length > mostSignatures) {
      return yield* refused(
        "threshold",
        `${armored.length} signatures for a threshold of ${threshold}; 1 to ${mostSignatures} are possible`
      )
    }
    const answers = yield* Effect.forEach(armored, (one) =>
      verifySignature(one, judgement).pipe(
        Effect.flatMap((verified) => signatory(verified, judgement)),
        Effect.either
      ))
    const signatories = distinct(answers.filter(Either.isRight).map(({ right }) => right))
    if (signatories.length >= threshold) return signatories
    const [first, ...more] = answers.filter(Either.isLeft).map(({ left }) => left)
    // With one signer the reason is that signature's own.
    if (threshold === 1 && first !== undefined && more.length === 0) return yield* first
    const why = [first, ...more].flatMap((error) => (error === undefined ? [] : [`${error.reason}: ${error.detail}`]))
    return yield* refused(
      "threshold",
      `${signatories.length} of the ${threshold} signers that this needs have signed` +
        (why.length === 0 ? "" : `; not counted: ${why.join("; ")}`)
    )
  })
