import { OpId } from "@felhom/domain/OpId"
import { GuestRef, SnapshotName } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import { Schema } from "effect"
import { IntendedCall, OpOutcome } from "./JournalWords.ts"
import { makingRecords } from "./MakingRecord.ts"
import { stepRecords } from "./StepRecord.ts"

const Name = Schema.NonEmptyString.pipe(Schema.maxLength(256))

/** A snapshot that this agent took. */
export const MadeSnapshot = Schema.Struct({ guest: GuestRef, snapshot: SnapshotName })
export type MadeSnapshot = typeof MadeSnapshot.Type

/** A guest that this agent made, with the identity that it was made with: another guest may have its vmid later. */
export const MadeGuest = Schema.Struct({ guest: GuestRef, identity: Name })
export type MadeGuest = typeof MadeGuest.Type

export const MadeObject = Schema.Union(MadeSnapshot, MadeGuest)
export type MadeObject = typeof MadeObject.Type

/** The longest document of an accepted op, in characters: what a record holds beside it. */
export const longestOpDocument = 480 * 1024

/** An operation that was taken on. */
export const AcceptedOp = Schema.Struct({
  op: OpId,
  /** On whose word: an operator's signature, the hub's desired state, the host's own policy, or a person at the host. */
  source: Schema.Literal("signed", "desired", "policy", "local"),
  /** `snapshot.delete`, `guest.start` */
  action: Name,
  /** `lxc/101`, a volume or a storage id; null for the host itself. */
  subject: Schema.NullOr(Name),
  /** Not begun after this; null for what does not expire. */
  expires: Schema.NullOr(EpochMillis),
  /**
   * What it was accepted from, to be read and checked again when its turn comes: for a signed op the bytes and signatures.
   * ASCII, so that a record's length is known from its own.
   */
  document: Schema.String.pipe(Schema.pattern(/^[\x20-\x7e]*$/), Schema.maxLength(longestOpDocument))
})
export type AcceptedOp = typeof AcceptedOp.Type

/** One line of the journal. */
export const JournalRecord = Schema.Union(
  Schema.TaggedStruct("accepted", { at: EpochMillis, op: AcceptedOp }),
  Schema.TaggedStruct("intent", { at: EpochMillis, op: OpId, call: IntendedCall }),
  Schema.TaggedStruct("started", { at: EpochMillis, op: OpId, upid: Upid }),
  Schema.TaggedStruct("ended", { at: EpochMillis, op: OpId, outcome: OpOutcome }),
  Schema.TaggedStruct("reported", { op: OpId }),
  /** It was taken on before, and is over; all else of it is forgotten. */
  Schema.TaggedStruct("past", { op: OpId }),
  Schema.TaggedStruct("made", { object: MadeObject, upid: Upid }),
  /** Its removal is about to be asked for. */
  Schema.TaggedStruct("removing", { object: MadeObject }),
  Schema.TaggedStruct("gone", { object: MadeObject }),
  ...stepRecords,
  ...makingRecords
)
export type JournalRecord = typeof JournalRecord.Type
