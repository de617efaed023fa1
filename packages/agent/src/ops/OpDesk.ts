import type { AuditHead } from "@felhom/domain/AuditEntry"
import type { Envelope } from "@felhom/domain/Envelope"
import type { DesiredStatus, ReportSections, TrustStatus } from "@felhom/domain/HostReport"
import { type Section, sectionUnavailable } from "@felhom/domain/Section"
import type { Observation } from "@felhom/reconciler/Observation"
import { Effect } from "effect"

/** What a hub hands to a host: signed ops, versions of the fleet's signers, a desired state, and what its clock said. */
export type HandedOver = Pick<Envelope, "ops" | "signers" | "desired" | "serverTime">

/** What the loop has to do with signed ops, with whom the host trusts, and with desired state. Nothing here waits for a task. */
export interface OpDesk {
  /** `later`: not loaded yet, and the hub sends it again. `no`: it can't be had, and that is told. */
  readonly takes: "yes" | "later" | "no"
  /** Of an answer that came just now. */
  readonly received: (handed: HandedOver) => Effect.Effect<void>
  /** Null: the host can't say, and takes no signed op. */
  readonly trust: Effect.Effect<TrustStatus | null>
  readonly desired: Effect.Effect<DesiredStatus | null>
  /** Holds what was just seen against the desired state, and begins what may be done for it beside the loop. */
  readonly pursue: (observation: Observation) => Effect.Effect<void>
  readonly audit: Effect.Effect<Section<AuditHead>>
  /** What is found out beside the loop, as it was found last; nothing is asked for it. */
  readonly beside: Effect.Effect<Pick<ReportSections, "health" | "hostStorage">>
  /** Ends when there is something that the hub should hear of at once. */
  readonly urgent: Effect.Effect<void>
  /** Opens anew what the disk has failed under, as soon as it takes writes again. Nothing happens where nothing is broken. */
  readonly mend: Effect.Effect<void>
}

const without = (takes: "later" | "no", why: string): OpDesk => ({
  takes,
  received: () => Effect.void,
  trust: Effect.succeed(null),
  desired: Effect.succeed(null),
  pursue: () => Effect.void,
  audit: Effect.succeed(sectionUnavailable(why)),
  beside: Effect.succeed({}),
  urgent: Effect.never,
  mend: Effect.void
})

/** Until the first report is out, which waits for nothing that it does not need. */
export const deskLater: OpDesk = without("later", "not read yet")

export const noDesk: OpDesk = without("no", "the stores of this host's signed ops can't be used; its log says why")
