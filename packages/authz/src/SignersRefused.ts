import { Sha256Hex } from "@felhom/domain/Sha256"
import { Schema } from "effect"
import { signatureAdvice, SignatureReason } from "./SignatureRefused.ts"

/** Every way in which a version of the fleet's signers can be refused beyond its signatures' own. */
const ownReasons = [
  "size",
  "encoding",
  "json",
  "schema",
  "no-signers",
  "policy",
  "store",
  "clock-behind",
  "other-fleet",
  "version-behind",
  "version-jump",
  "from",
  "list",
  "too-few",
  "last-signer"
] as const
type OwnReason = (typeof ownReasons)[number]

const Reason = Schema.Union(SignatureReason, Schema.Literal(...ownReasons))
export type SignersReason = typeof Reason.Type

const makeAnew = "make it anew and let it be signed"

const next: { readonly [reason in OwnReason]: string } = {
  size: "make it smaller; a list has 64 KiB at most and 16 signatures",
  encoding: "publish the signed bytes in base64, as they were signed",
  json: "make and sign it anew with a tool of this host's version",
  schema: "make and sign it anew with a tool of this host's version",
  "no-signers": "root names the first signers on the host",
  policy: "root mends the host's policy; until then no signers are taken",
  store: "mend the host's state folder; until then no signers are taken",
  "clock-behind": "set the host's clock right; if the later time was the wrong one, sign store.reanchor",
  "other-fleet": "a host changes fleets only by a signed signers.update",
  "version-behind": "signers never go back; if the hub offers an old list, look into that",
  "version-jump": `${makeAnew} with the next number`,
  from: `${makeAnew} from what the host's report names, or let the host adopt it (signers.update)`,
  list: makeAnew,
  "too-few": "leave enough signers, or let root lower the policy's thresholds first",
  "last-signer": "add another signer first, signed by as many as the policy asks for"
}

const isOwn = (reason: SignersReason): reason is OwnReason => (ownReasons as ReadonlyArray<string>).includes(reason)

/** A version of the fleet's signers that is not taken, and why. The last good one holds. */
export class SignersRefused extends Schema.TaggedError<SignersRefused>()("SignersRefused", {
  reason: Reason,
  detail: Schema.String,
  /** SHA-256 of the document's bytes; null for what is no base64. */
  sha256: Schema.NullOr(Sha256Hex)
}) {
  override get message(): string {
    return `signers refused (${this.reason}): ${this.detail}; ${
      isOwn(this.reason) ? next[this.reason] : signatureAdvice[this.reason]
    }`
  }
}
