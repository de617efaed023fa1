import { type SshsigError } from "@felhom/domain/Sshsig"
import { Schema } from "effect"
import type { AllowedSignersError } from "./AllowedSigners.ts"
import type { RevocationListError } from "./RevocationList.ts"

/** Every way in which a signature can fail to count. */
export const SignatureReason = Schema.Literal(
  "armor",
  "blob",
  "version",
  "reserved",
  "hash",
  "namespace",
  "key",
  "request",
  "signers",
  "unlisted",
  "principal",
  "signer-namespace",
  "not-yet-valid",
  "expired",
  "revocations",
  "revoked",
  "signature-form",
  "signature",
  "presence",
  "verification",
  "flags",
  "software-key",
  "ambiguous",
  "threshold"
)
type Reason = typeof SignatureReason.Type

const signAnew = "sign the same bytes anew, as in: ssh-keygen -Y sign -f KEY -n NAMESPACE FILE"
const otherKey = "sign with a key that is on the host's allow-list"
const administer = "whoever administers the host's allow-list can change that"

/** What to do about each. */
export const signatureAdvice: { readonly [reason in Reason]: string } = {
  armor: signAnew,
  blob: signAnew,
  version: signAnew,
  reserved: signAnew,
  hash: signAnew,
  namespace: "sign for the namespace that is asked for (ssh-keygen -Y sign -n NAMESPACE)",
  key: otherKey,
  request: "ask with a principal and a namespace of 1 to 255 bytes",
  signers: "mend that; until then nobody's signature counts",
  unlisted: otherKey,
  principal: administer,
  "signer-namespace": administer,
  "not-yet-valid": "wait until then, or let another signer sign",
  expired: "let a signer sign whose time has not run out",
  revocations: "mend that; until then nobody's signature counts",
  revoked: "let another signer sign; a revoked key never counts again",
  "signature-form": signAnew,
  signature: "make sure that these are the bytes that were signed, and sign them again",
  presence: "sign again and touch the key when it asks; a key made with no-touch-required can't sign here",
  verification: "sign with a key that asks for its PIN or a finger (ssh-keygen -t ed25519-sk -O verify-required)",
  flags: "sign with a security key over ssh",
  "software-key": "sign with a security key; this host's policy takes no other",
  ambiguous: "list the key once, under one plain name",
  threshold: "let more signers sign the same bytes"
}

/** A signature that does not count, and why. Whatever it covers must not be done. */
export class SignatureRefused extends Schema.TaggedError<SignatureRefused>()("SignatureRefused", {
  reason: SignatureReason,
  /** What was wrong, and where. */
  detail: Schema.String
}) {
  override get message(): string {
    return `refused (${this.reason}): ${this.detail}; ${signatureAdvice[this.reason]}`
  }
}

export const refused = (reason: Reason, detail: string): SignatureRefused => new SignatureRefused({ reason, detail })

/** A signature that could not even be taken apart. */
export const fromSshsig = ({ detail, reason }: SshsigError): SignatureRefused =>
  refused(reason === "other-key" ? "key" : reason, `the signature: ${detail}`)

/** A list that could not be read refuses every signature. */
export const fromSigners = (error: AllowedSignersError): SignatureRefused => refused("signers", error.place)

export const fromRevocations = (error: RevocationListError): SignatureRefused =>
  refused("revocations", `the revocation list: ${error.detail}`)
