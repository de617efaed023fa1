import type { SignedBytes } from "@felhom/domain/Envelope"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { opNamespace } from "@felhom/domain/SignedOp"
import {
  decodeSigners,
  farthestSignersVersion,
  longestSigners,
  type SignersDocument,
  signersNamespace
} from "@felhom/domain/SignersDocument"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Effect, Either, Option } from "effect"
import { type HeldSigners, readVersion, type SignersVersion } from "./AcceptedSigners.ts"
import { HostPolicy } from "./HostPolicy.ts"
import { highestThreshold, type PolicyDocument, thresholdFor } from "./PolicyDocument.ts"
import { bothRevoked, type RevocationList } from "./RevocationList.ts"
import { Signers, type SignersReading } from "./Signers.ts"
import { type SignersReason, SignersRefused } from "./SignersRefused.ts"
import { mostSignatures, verifyThreshold } from "./Threshold.ts"
import { usableSigners } from "./UsableSigners.ts"
import type { Judgement } from "./VerifySignature.ts"

/** A version that this host may take. */
export interface GoodVersion {
  readonly next: HeldSigners
  /** Who signed it: of the list before for one that continues from that, of its own for one that a signed op brings. */
  readonly principals: ReadonlyArray<string>
  /** It only takes keys away. */
  readonly revocation: boolean
}

/** The signed bytes of a version. */
export type SignedVersion = Pick<SignedBytes, "payload" | "signatures">

const longestPayloadText = Math.ceil(longestSigners / 3) * 4

interface Present {
  readonly reading: SignersReading
  readonly policy: PolicyDocument
  readonly at: EpochMillis
}

type Refuse = (reason: SignersReason, detail: string) => SignersRefused
const refuseFor = (sha256: Sha256Hex | null): Refuse => (reason, detail) =>
  new SignersRefused({ reason, detail, sha256 })

const bytesOf = ({ payload, signatures }: SignedVersion) =>
  Effect.gen(function*() {
    const refuse = refuseFor(null)
    if (payload.length > longestPayloadText) return yield* refuse("size", `it is longer than ${longestSigners} bytes`)
    const bytes = yield* Either.mapLeft(decodeCanonicalBase64(payload), (why) => refuse("encoding", why))
    const sha256 = yield* (yield* Crypto).sha256(bytes)
    if (signatures.length > mostSignatures) {
      return yield* refuseFor(sha256)("size", `it has ${signatures.length} signatures, more than ${mostSignatures}`)
    }
    return { bytes, sha256, refuse: refuseFor(sha256) }
  })

/** What holds now. Fails closed, as for an op. */
const present = (refuse: Refuse) =>
  Effect.gen(function*() {
    const reading = yield* Effect.mapError((yield* Signers).current, ({ detail, reason }) => refuse(reason, detail))
    const { policy, problem } = yield* (yield* HostPolicy).current
    if (Option.isSome(problem)) return yield* refuse("policy", problem.value)
    const found: Present = { reading, policy, at: EpochMillis.make(yield* Clock.currentTimeMillis) }
    return found
  })

type Rules = Omit<Judgement, "message">

const rulesOf = (
  { at, policy }: Present,
  signers: Judgement["signers"],
  revoked: RevocationList,
  namespace = signersNamespace
): Rules => ({
  at,
  namespace,
  signers,
  revoked,
  demands: { softwareKeys: policy.signatures.softwareKeys, verification: policy.signatures.verification }
})

/** By the list that holds, and by the version's own, with all that is revoked by then. */
const rulesBefore = (now: Present): Rules => rulesOf(now, now.reading.signers, now.reading.revoked)
const rulesAfter = (now: Present, { revoked, signers }: SignersVersion, namespace?: string): Rules =>
  rulesOf(now, signers, bothRevoked(now.reading.root.revoked, revoked), namespace)

const signedBy = (
  { signatures }: SignedVersion,
  message: Uint8Array,
  rules: Rules,
  threshold: number,
  refuse: Refuse,
  by: string
) =>
  Effect.map(
    Effect.mapError(
      verifyThreshold(signatures, { ...rules, message }, threshold),
      ({ detail, reason }) => refuse(reason, `by ${by}: ${detail}`)
    ),
    (all) => all.map(({ principal }) => principal)
  )

const numberProblem = (
  { fleet, version }: SignersDocument,
  held: Option.Option<HeldSigners>
): readonly [SignersReason, string] | undefined => {
  const before = Option.match(held, {
    onNone: () => 0,
    onSome: ({ document }) => (document.fleet === fleet ? document.version : 0)
  })
  if (version <= before) return ["version-behind", `it is version ${version}, and this host has version ${before}`]
  return version - before > farthestSignersVersion
    ? ["version-jump", `it is version ${version}, and this host has version ${before}: no fleet goes that fast`]
    : undefined
}

/** It leaves the allow-list as it is, and revokes what was revoked and more. */
const onlyRevokes = (now: Present, version: SignersVersion): boolean => {
  const before: ReadonlySet<string> = Option.match(now.reading.held, {
    onNone: () => new Set<string>(),
    onSome: ({ revoked }) => revoked.keys
  })
  const { keys } = version.revoked
  return version.lists.allowedSigners === now.reading.sha256 && keys.size > before.size &&
    [...before].every((key) => keys.has(key))
}

/** Of a list that replaces another there must be enough signers for all that the policy asks for. */
const enoughIn = (now: Present, version: SignersVersion, refuse: Refuse) =>
  Effect.gen(function*() {
    const needs = [
      [opNamespace, highestThreshold(now.policy)],
      [signersNamespace, thresholdFor(now.policy, "signers.update")]
    ] as const
    for (const [namespace, threshold] of needs) {
      const { size } = yield* usableSigners(rulesAfter(now, version, namespace))
      if (size < threshold) {
        return yield* refuse(
          "too-few",
          `${size} of its signers could sign for ${namespace} now, and the policy asks for ${threshold}`
        )
      }
    }
  })

const readLists = (bytes: Uint8Array, sha256: Sha256Hex, refuse: Refuse) =>
  Effect.gen(function*() {
    const document = yield* Either.mapLeft(
      decodeSigners(bytes),
      ({ detail, reason }) => refuse(reason, detail)
    )
    return yield* Effect.mapError(
      readVersion(bytes, sha256, document),
      ({ detail, list }) => refuse("list", `its ${list}: ${detail}`)
    )
  })

const taken = (now: Present, version: SignersVersion): HeldSigners => ({ ...version, anchor: now.reading.root.sha256 })

type Judged = Effect.Effect<GoodVersion, SignersRefused, Signers | HostPolicy | Crypto | SignatureCrypto>

/**
 * Whether the host may take a version that continues from what it has (protocol 5): signed by as many as the policy asks for
 * `signers.update`, of the list that holds and of the new one alike; where it only revokes, by any one who is still trusted.
 */
export const continuing = (signed: SignedVersion): Judged =>
  Effect.gen(function*() {
    const { bytes, refuse, sha256 } = yield* bytesOf(signed)
    const now = yield* present(refuse)
    const listed = "the signers that hold now"
    // The bytes are read only once somebody who is trusted is known to have signed them.
    const first = yield* signedBy(signed, bytes, rulesBefore(now), 1, refuse, listed)
    const version = yield* readLists(bytes, sha256, refuse)
    const { document } = version
    const { held } = now.reading
    if (Option.isSome(held) && held.value.document.fleet !== document.fleet) {
      return yield* refuse(
        "other-fleet",
        `it is for the fleet ${document.fleet}; this host is of ${held.value.document.fleet}`
      )
    }
    const number = numberProblem(document, held)
    if (number !== undefined) return yield* refuse(...number)
    const { allowedSigners, revoked } = now.reading.lists
    if (document.from.allowedSigners !== allowedSigners || document.from.revoked !== revoked) {
      const other = document.from.allowedSigners === allowedSigners ? "list of revoked keys" : "allow-list"
      return yield* refuse("from", `it continues from another ${other} than this host's`)
    }
    if (onlyRevokes(now, version)) {
      const left = yield* usableSigners(rulesAfter(now, version))
      if (left.size === 0) return yield* refuse("last-signer", "it would leave nobody who can sign the next list")
      return { next: taken(now, version), principals: first, revocation: true }
    }
    const threshold = thresholdFor(now.policy, "signers.update")
    const principals = yield* (first.length >= threshold
      ? Effect.succeed(first)
      : signedBy(signed, bytes, rulesBefore(now), threshold, refuse, listed))
    yield* signedBy(signed, bytes, rulesAfter(now, version), threshold, refuse, "the signers that it names")
    yield* enoughIn(now, version, refuse)
    return { next: taken(now, version), principals, revocation: false }
  })

/**
 * Whether the host may take a version that a signed `signers.update` brings, from whatever it has: the op says that those who are
 * trusted now want it, and as many of the new ones have to have signed it. In one fleet the number still goes up only.
 */
export const adopting = (signed: SignedVersion): Judged =>
  Effect.gen(function*() {
    const { bytes, refuse, sha256 } = yield* bytesOf(signed)
    const now = yield* present(refuse)
    const version = yield* readLists(bytes, sha256, refuse)
    const number = numberProblem(version.document, now.reading.held)
    if (number !== undefined) return yield* refuse(...number)
    const threshold = thresholdFor(now.policy, "signers.update")
    const by = "the signers that it names"
    const principals = yield* signedBy(signed, bytes, rulesAfter(now, version), threshold, refuse, by)
    yield* enoughIn(now, version, refuse)
    return { next: taken(now, version), principals, revocation: false }
  })
