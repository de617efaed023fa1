import type { AuditHead } from "@felhom/domain/AuditEntry"
import type { SignedBytes } from "@felhom/domain/Envelope"
import type { TrustStatus } from "@felhom/domain/HostReport"
import { type Section, sectionUnavailable } from "@felhom/domain/Section"
import type { EpochMillis } from "@felhom/domain/Time"
import { Effect } from "effect"

/** What the loop and the signed ops have to do with each other. Nothing here waits for a task. */
export interface OpDesk {
  /** `later`: not loaded yet, and the hub sends the ops again. `no`: it can't be had, and that is told. */
  readonly takesOps: "yes" | "later" | "no"
  /** The signed ops of an answer that came just now, and what the hub's clock said. */
  readonly received: (ops: ReadonlyArray<SignedBytes>, serverTime: EpochMillis) => Effect.Effect<void>
  /** Null: the host can't say, and takes no signed op. */
  readonly trust: Effect.Effect<TrustStatus | null>
  readonly audit: Effect.Effect<Section<AuditHead>>
  /** Ends when there is something that the hub should hear of at once. */
  readonly urgent: Effect.Effect<void>
}

const without = (takesOps: "later" | "no", why: string): OpDesk => ({
  takesOps,
  received: () => Effect.void,
  trust: Effect.succeed(null),
  audit: Effect.succeed(sectionUnavailable(why)),
  urgent: Effect.never
})

/** Until the first report is out, which waits for nothing that it does not need. */
export const deskLater: OpDesk = without("later", "not read yet")

export const noDesk: OpDesk = without("no", "the stores of this host's signed ops can't be used; its log says why")
