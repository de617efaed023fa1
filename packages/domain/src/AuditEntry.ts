import { Schema } from "effect"
import { ClippedText } from "./ClippedText.ts"
import { OpId } from "./OpId.ts"
import { Sha256Hex } from "./Sha256.ts"
import { EpochMillis } from "./Time.ts"
import { Upid } from "./Upid.ts"

const Name = ClippedText(256)
const Words = ClippedText(2048)

/** How an accepted operation ended: `unknown` is never guessed to be one of the others. */
export const OpEnd = Schema.Literal("finished", "failed", "unknown")
export type OpEnd = typeof OpEnd.Type

/** Everything that an audit chain tells. Closed: who adds a kind adds it here. */
export const AuditEntry = Schema.Union(
  Schema.TaggedStruct("agent.started", { version: Name, bootId: Schema.NullOr(Name) }),
  Schema.TaggedStruct("op.accepted", {
    op: OpId,
    /** `snapshot.delete`, `guest.start` */
    action: Name,
    /** `lxc/101`, a volume or a storage id; null for the host itself. */
    subject: Schema.NullOr(Name),
    /** Who signed for it; empty where no signature was needed. */
    principals: Schema.Array(Name).pipe(Schema.maxItems(16)),
    /** Of the exact bytes that were signed. */
    payload: Schema.NullOr(Sha256Hex)
  }),
  Schema.TaggedStruct("op.refused", {
    /** Null when it could not be read far enough to tell. */
    action: Schema.NullOr(Name),
    subject: Schema.NullOr(Name),
    payload: Schema.NullOr(Sha256Hex),
    reason: Name,
    detail: Words
  }),
  Schema.TaggedStruct("op.finished", { op: OpId, end: OpEnd, upid: Schema.NullOr(Upid), detail: Words }),
  Schema.TaggedStruct("policy.changed", { before: Schema.NullOr(Sha256Hex), after: Schema.NullOr(Sha256Hex) }),
  Schema.TaggedStruct("hold.set", { by: Name, reason: Words }),
  Schema.TaggedStruct("hold.released", { by: Name, reason: Words }),
  Schema.TaggedStruct("signers.accepted", {
    fleet: Name,
    version: Schema.NonNegativeInt,
    /** Of the document's exact bytes. */
    sha256: Sha256Hex,
    /** Who signed it, by the list before. */
    principals: Schema.Array(Name).pipe(Schema.maxItems(16)),
    /** It only takes keys away. */
    revocation: Schema.Boolean
  }),
  Schema.TaggedStruct("signers.refused", { sha256: Schema.NullOr(Sha256Hex), reason: Name, detail: Words }),
  Schema.TaggedStruct("desired.epoch", { before: Schema.NullOr(Name), after: Name }),
  Schema.TaggedStruct("desired.accepted", { epoch: Name, version: Schema.NonNegativeInt, sha256: Sha256Hex })
)
export type AuditEntry = typeof AuditEntry.Type

/**
 * One link of the chain. `previous` is the SHA-256 of the link before it, over that link's exact bytes; of the first, over the
 * chain's own beginning. `seq` counts from 1 without gaps.
 */
export const AuditLink = Schema.Struct({
  seq: Schema.Int.pipe(Schema.positive()),
  at: EpochMillis,
  previous: Sha256Hex,
  entry: AuditEntry
})
export type AuditLink = typeof AuditLink.Type

/** How far a chain has come: what is enough to notice later that something before it was changed or is gone. */
export const AuditHead = Schema.Struct({ head: Sha256Hex, length: Schema.NonNegativeInt })
export type AuditHead = typeof AuditHead.Type
