import { GuestRef } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import { Schema } from "effect"
import { IntendedCall } from "./JournalWords.ts"
import { IdentityText } from "./StepRecord.ts"

/** What a guest is called in a desired state before it is there. */
export const MakingKey = Schema.NonEmptyString.pipe(Schema.maxLength(256))

/** The journal's lines about guests that are made for a desired state, by their keys. */
export const makingRecords = [
  /** The number that it is to have, before the call that makes it. */
  Schema.TaggedStruct("making.chosen", { at: EpochMillis, key: MakingKey, guest: GuestRef, call: IntendedCall }),
  /** The task that makes it. */
  Schema.TaggedStruct("making.called", { key: MakingKey, upid: Upid }),
  /** What the task has left, as it was read after its end. */
  Schema.TaggedStruct("making.stands", { key: MakingKey, identity: IdentityText }),
  /** Its first start is about to be asked for. */
  Schema.TaggedStruct("making.starting", { key: MakingKey }),
  Schema.TaggedStruct("making.proven", { key: MakingKey }),
  /** Its removal is about to be asked for. */
  Schema.TaggedStruct("making.removing", { key: MakingKey }),
  /** Nothing of it is there. */
  Schema.TaggedStruct("making.forgotten", { key: MakingKey })
] as const
const AnyMakingRecord = Schema.Union(...makingRecords)
export type MakingRecord = typeof AnyMakingRecord.Type
