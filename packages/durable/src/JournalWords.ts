import { OpEnd } from "@felhom/domain/AuditEntry"
import { ClippedText } from "@felhom/domain/ClippedText"
import { Vmid } from "@felhom/domain/ProxmoxId"
import { Schema } from "effect"

/** A call that is about to be made, and how the task that it starts can be found if the answer never comes (protocol 5). */
export const IntendedCall = Schema.Struct({
  /** `DELETE /nodes/pve/lxc/101/snapshot/before` */
  call: Schema.NonEmptyString.pipe(Schema.maxLength(1024)),
  /** For `GET tasks?vmid=&typefilter=`; null where the task has none. */
  vmid: Schema.NullOr(Vmid),
  taskType: Schema.NullOr(Schema.NonEmptyString.pipe(Schema.maxLength(256)))
})
export type IntendedCall = typeof IntendedCall.Type

/** How an operation ended, in words for the operator. */
export const OpOutcome = Schema.Struct({ end: OpEnd, detail: ClippedText(4096) })
export type OpOutcome = typeof OpOutcome.Type
