import { SignedBytes } from "@felhom/domain/Envelope"
import { Health } from "@felhom/domain/Health"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { Schema } from "effect"
import { diskRequests, DisksAnswer } from "../disks/DisksProtocol.ts"
import { goldenRequests, GoldenRow } from "../golden/GoldenProtocol.ts"

/** The daemon's socket in its runtime folder. */
export const adminSocketName = "admin.sock"

/** The longest line either way, in bytes: an op with its document and all the signatures that one may have. */
export const longestLine = 1024 * 1024

const Words = Schema.NonEmptyString.pipe(Schema.maxLength(512))

/** What root asks the daemon: one line of JSON in, one out (protocol 7). Closed. */
export const AdminRequest = Schema.Union(
  Schema.Struct({ ask: Schema.Literal("ops.accept"), signed: SignedBytes }),
  Schema.Struct({ ask: Schema.Literal("ops.list") }),
  Schema.Struct({ ask: Schema.Literal("hold.set"), reason: Words }),
  Schema.Struct({ ask: Schema.Literal("hold.release"), reason: Words }),
  ...goldenRequests,
  ...diskRequests
)
export type AdminRequest = typeof AdminRequest.Type

/** A signed op that is under way or waits. */
export const ListedOp = Schema.Struct({
  /** SHA-256 of its payload; null where that can't be read any more. */
  op: Schema.NullOr(Schema.String),
  words: Schema.String,
  /** As in the journal, or `waiting` for one that could begin if its target were free. */
  stage: Schema.String,
  /** What one that waits waits for. */
  waitsFor: Schema.optional(Schema.String),
  acceptedAt: EpochMillis
})
export type ListedOp = typeof ListedOp.Type

export const AdminAnswer = Schema.Struct({
  ok: Schema.Boolean,
  /** For the person. */
  message: Schema.String,
  ops: Schema.optional(Schema.Array(ListedOp)),
  disks: Schema.optional(DisksAnswer),
  health: Schema.optional(Health),
  golden: Schema.optional(Schema.Array(GoldenRow)),
  /** The text of a golden image's manifest, for operators to sign. */
  draft: Schema.optional(Schema.String),
  /** What an op for this host has to name, for who signs one without a report at hand. */
  trust: Schema.optional(
    Schema.Struct({
      host: HostId,
      hostEpoch: HostEpoch,
      storeSeq: Schema.NonNegativeInt,
      hold: Schema.NullOr(EpochMillis),
      /** What `expect` names in `signers.update`, `policy.widen` and `desired.accept_epoch`; left out where it can't be read. */
      signers: Schema.optional(Schema.Struct({ version: Schema.NonNegativeInt, sha256: Sha256Hex })),
      policy: Schema.optional(Schema.Struct({ sha256: Schema.NullOr(Sha256Hex) })),
      desired: Schema.optional(Schema.Struct({ epoch: Schema.NullOr(HostEpoch), version: Schema.NonNegativeInt }))
    })
  )
})
export type AdminAnswer = typeof AdminAnswer.Type
