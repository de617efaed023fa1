import { longestDocument } from "@felhom/domain/Envelope"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { opNamespace, type SignedOp } from "@felhom/domain/SignedOp"
import { decodeAttachedSigners } from "@felhom/domain/SignersDocument"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Effect } from "effect"
import type { HostPolicy } from "./HostPolicy.ts"
import type { RefusalReason } from "./OpRefused.ts"
import { highestThreshold, parsePolicy } from "./PolicyDocument.ts"
import { Signers, type SignersUnavailable } from "./Signers.ts"
import { adopting, type GoodVersion, type SignedVersion } from "./SignersVersion.ts"
import { usableSigners } from "./UsableSigners.ts"

/** What came with an op: the bytes that its target names, which this host can take. */
export type Attachment =
  | { readonly op: "signers.update"; readonly signed: SignedVersion; readonly version: GoodVersion }
  | { readonly op: "policy.widen"; readonly document: Uint8Array }

/** Why it can't. */
export interface AttachmentProblem {
  readonly _tag: "AttachmentProblem"
  readonly reason: Extract<RefusalReason, `document-${string}`>
  readonly detail: string
}

const refuse = (reason: AttachmentProblem["reason"], detail: string) =>
  Effect.fail<AttachmentProblem>({ _tag: "AttachmentProblem", reason, detail })

const longestText = Math.ceil(longestDocument / 3) * 4

const bytesOf = (document: string) =>
  Effect.gen(function*() {
    const tooLong = `the document that came with it is longer than ${longestDocument} bytes`
    if (document.length > longestText) return yield* refuse("document-size", tooLong)
    const bytes = yield* Effect.catchAll(
      decodeCanonicalBase64(document),
      (why) => refuse("document-encoding", `the document that came with it: ${why}`)
    )
    if (bytes.length > longestDocument) return yield* refuse("document-size", tooLong)
    return bytes
  })

const otherHash = (sha256: string) => refuse("document-hash", `what came with it is not what was signed for, ${sha256}`)

type SignersOp = Extract<SignedOp, { readonly op: "signers.update" }>
type PolicyOp = Extract<SignedOp, { readonly op: "policy.widen" }>

const signersIn = (op: SignersOp, document: Uint8Array) =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const signed = yield* Effect.catchAll(
      decodeAttachedSigners(document, longestDocument),
      ({ message }) => refuse("document-content", message)
    )
    const payload = yield* Effect.catchAll(
      decodeCanonicalBase64(signed.payload),
      (why) => refuse("document-encoding", `the payload of the document that came with it: ${why}`)
    )
    if ((yield* crypto.sha256(payload)) !== op.target.sha256) return yield* otherHash(op.target.sha256)
    const version = yield* Effect.catchAll(adopting(signed), ({ message }) => refuse("document-content", message))
    const number = version.next.document.version
    if (number !== op.params.version) {
      return yield* refuse("document-content", `it is version ${number}, and the op says ${op.params.version}`)
    }
    const attachment: Attachment = { op: op.op, signed, version }
    return attachment
  })

/** Who can sign has to suffice for what the policy asks for; one that nobody can satisfy is root's to write. */
const policyIn = (op: PolicyOp, document: Uint8Array) =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    if ((yield* crypto.sha256(document)) !== op.target.sha256) return yield* otherHash(op.target.sha256)
    const policy = yield* Effect.catchAll(
      parsePolicy(document),
      (why) => refuse("document-content", `it is no policy that this version knows: ${why}`)
    )
    const { revoked, signers } = yield* (yield* Signers).current
    const { softwareKeys, verification } = policy.signatures
    const rules = {
      at: EpochMillis.make(yield* Clock.currentTimeMillis),
      signers,
      revoked,
      demands: { softwareKeys, verification }
    }
    const threshold = highestThreshold(policy)
    const { size } = yield* usableSigners({ ...rules, namespace: opNamespace })
    if (size < threshold) {
      return yield* refuse("document-content", `it asks for ${threshold} signers, and ${size} could sign now`)
    }
    const attachment: Attachment = { op: op.op, document }
    return attachment
  })

/** Looks at what came with an op whose signatures held; null for the ops that take nothing with them. */
export const attachmentOf = (
  op: SignedOp,
  document: string | undefined
): Effect.Effect<
  Attachment | null,
  AttachmentProblem | SignersUnavailable,
  Signers | HostPolicy | Crypto | SignatureCrypto
> =>
  Effect.gen(function*() {
    if (op.op !== "signers.update" && op.op !== "policy.widen") {
      return document === undefined ? null : yield* refuse("document-unexpected", `${op.op} takes no document`)
    }
    if (document === undefined) {
      return yield* refuse("document-missing", `the document ${op.target.sha256} did not come with it`)
    }
    const bytes = yield* bytesOf(document)
    return op.op === "signers.update" ? yield* signersIn(op, bytes) : yield* policyIn(op, bytes)
  })
