import { Sha256Hex } from "@felhom/domain/Sha256"
import { Schema } from "effect"
import { signatureAdvice, SignatureReason } from "./SignatureRefused.ts"

/** Every way in which an op can be refused beyond its signatures' own. */
const ownReasons = [
  "size",
  "rate",
  "encoding",
  "no-signers",
  "op-json",
  "op-schema",
  "other-host",
  "other-epoch",
  "store-behind",
  "clock-behind",
  "clock-off",
  "issued-ahead",
  "too-early",
  "too-late",
  "policy",
  "hold",
  "nonce-spent",
  "nonce-queued",
  "queue-full",
  "document-missing",
  "document-unexpected",
  "document-size",
  "document-encoding",
  "document-hash",
  "document-content",
  "store"
] as const
type OwnReason = (typeof ownReasons)[number]

const RefusalReason = Schema.Union(SignatureReason, Schema.Literal(...ownReasons))
export type RefusalReason = typeof RefusalReason.Type

const signAgain = "sign it anew"

const next: { readonly [reason in OwnReason]: string } = {
  size: "make it smaller; a payload has 16 KiB at most and 16 signatures, and 480 KiB are enough for all of it",
  rate: "it is looked at again in a minute",
  encoding: "submit the signed bytes in base64, as they were signed",
  "no-signers": "root names the signers on the host; until then it takes no signed op",
  "op-json": "make and sign it anew with a tool of this host's version",
  "op-schema": "make and sign it anew with a tool of this host's version",
  "other-host": "submit it to the host that it names",
  "other-epoch": "make it anew from the host's present report, and sign that",
  "store-behind": "the host's disk may have been set back: look into that; root or a signed store.reanchor begins anew",
  "clock-behind": "set the host's clock right; if the later time was the wrong one, sign store.reanchor",
  "clock-off": "set the clock right that is wrong, the host's or the hub's",
  "issued-ahead": "set the signer's clock right, and sign it anew",
  "too-early": `${signAgain}, or submit it when its time has come`,
  "too-late": signAgain,
  policy: "root mends the host's policy; until then nothing is destroyed here",
  hold: "release the hold first (hold.release, or felhom-agent hold --release on the host)",
  "nonce-spent": `the same op was taken before and is never done twice; ${signAgain} if it is still wanted`,
  "nonce-queued": "another op with the same nonce waits already",
  "queue-full": "wait until the ops before it have ended, then sign it anew",
  "document-missing": "submit it together with the document that it names",
  "document-unexpected": "submit it without a document",
  "document-size": "make the document smaller; it has 256 KiB at most",
  "document-encoding": "submit the document in base64",
  "document-hash": "submit it together with the very document that it names",
  "document-content": "mend the document, and sign for that",
  store: "mend the host's state folder; until then nothing is destroyed here"
}

const isOwn = (reason: RefusalReason): reason is OwnReason => (ownReasons as ReadonlyArray<string>).includes(reason)

/** A signed op that is not done, and why. Nothing of it was. */
export class OpRefused extends Schema.TaggedError<OpRefused>()("OpRefused", {
  reason: RefusalReason,
  detail: Schema.String,
  /** SHA-256 of the payload's bytes, by which the op is known everywhere. */
  payload: Schema.NullOr(Sha256Hex),
  /** Only told of an op whose signatures held: nobody has vouched for any other. */
  action: Schema.NullOr(Schema.String),
  subject: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return `refused (${this.reason}): ${this.detail}; ${
      isOwn(this.reason) ? next[this.reason] : signatureAdvice[this.reason]
    }`
  }
}
