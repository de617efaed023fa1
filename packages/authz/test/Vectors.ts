import { EpochMillis } from "@felhom/domain/Time"
import { Schema } from "effect"
import answersJson from "../fixtures/sshsig-answers.json" with { type: "json" }
import vectorsJson from "../fixtures/sshsig-vectors.json" with { type: "json" }

const Verdict = Schema.Literal("accept", "reject")

/** A signature with what three versions of `ssh-keygen -Y verify` said of it, and what is said here. */
const Vector = Schema.Struct({
  id: Schema.String,
  desc: Schema.String,
  namespace: Schema.String,
  principal: Schema.String,
  verify_time: Schema.String,
  message_b64: Schema.Uint8ArrayFromBase64,
  /** The armored file, byte by byte. */
  signature_b64: Schema.Uint8ArrayFromBase64,
  allowed_signers_b64: Schema.Uint8ArrayFromBase64,
  /** Null: none was given. MISSING: one was named that is not there. */
  revoked_b64: Schema.NullOr(Schema.Union(Schema.Literal("MISSING"), Schema.Uint8ArrayFromBase64)),
  oracle: Schema.Struct({ verdict: Verdict }),
  also: Schema.Record({ key: Schema.String, value: Verdict }),
  policy: Schema.Struct({ verdict: Verdict, why: Schema.String })
})
export type Vector = typeof Vector.Type

const read: { readonly vectors: ReadonlyArray<Vector> } = Schema.decodeUnknownSync(
  Schema.Struct({ vectors: Schema.Array(Vector) })
)(vectorsJson)

export const vectors = read.vectors

/** By a vector's id: the reason and the words of its refusal, or whose signature it is and by which lines of the allow-list. */
export const answers: { readonly [id: string]: string } = Schema.decodeUnknownSync(
  Schema.Record({ key: Schema.String, value: Schema.String })
)(answersJson)

/** `YYYYMMDDHHMMSSZ`, as every vector has it. */
export const momentOf = (text: string): EpochMillis =>
  EpochMillis.make(Date.parse(text.replace(/^(....)(..)(..)(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z")))
