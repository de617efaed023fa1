import { HostEpoch } from "@felhom/domain/HostId"
import { GuestRef } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import { Schema } from "effect"
import { IntendedCall, OpOutcome } from "./JournalWords.ts"

/** A step by the name that every plan gives it: `lxc/101 config.set cores`. */
export const StepId = Schema.NonEmptyString.pipe(Schema.maxLength(512))
export type StepId = typeof StepId.Type

/** Who a guest is, as one text. */
export const IdentityText = Schema.NonEmptyString.pipe(Schema.maxLength(32 * 1024))

/** What a step counts for against the host's caps and its blast radius, from before its call on and whatever comes of it. */
export const StepCount = Schema.Struct({
  /** The guest that is stopped, started or changed; null: none is. */
  touched: Schema.NullOr(IdentityText),
  /** A guest is made. */
  created: Schema.Boolean,
  /** Bytes that a volume grows by. */
  grown: Schema.NonNegativeInt
})
export type StepCount = typeof StepCount.Type

/** A configuration key, and what it is to say; null: it is cleared. */
export const WrittenKey = Schema.Struct({
  key: Schema.NonEmptyString.pipe(Schema.maxLength(64)),
  text: Schema.NullOr(Schema.String.pipe(Schema.maxLength(64 * 1024)))
})
export type WrittenKey = typeof WrittenKey.Type

/** A step that is begun for a desired state, and the call that is about to be made for it. */
export const BegunStep = Schema.Struct({
  step: StepId,
  /** Of the desired state: the incarnation of the hub's store, and its version there. */
  epoch: HostEpoch,
  version: Schema.Int.pipe(Schema.positive()),
  /** `guest.start` */
  action: Schema.NonEmptyString.pipe(Schema.maxLength(64)),
  /** Null for one that is still to be made. */
  guest: Schema.NullOr(GuestRef),
  call: IntendedCall,
  /** The configuration key that it writes, if any: a call without a task leaves no other trace. */
  write: Schema.NullOr(WrittenKey),
  count: StepCount
})
export type BegunStep = typeof BegunStep.Type

/** The journal's lines about steps. */
export const stepRecords = [
  Schema.TaggedStruct("step.begun", { at: EpochMillis, step: BegunStep }),
  Schema.TaggedStruct("step.started", { step: StepId, upid: Upid }),
  Schema.TaggedStruct("step.ended", { at: EpochMillis, step: StepId, outcome: OpOutcome }),
  /** Its end is in the durable queue of events; here it only counts. */
  Schema.TaggedStruct("step.told", { step: StepId }),
  /** What is left of a step that is over. */
  Schema.TaggedStruct("step.counted", { at: EpochMillis, count: StepCount })
] as const
const AnyStepRecord = Schema.Union(...stepRecords)
export type StepRecord = typeof AnyStepRecord.Type
