import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostEpoch, HostId } from "@felhom/domain/HostId"
import { type HostReport, hostReportType, type Inventory, type TrustStatus } from "@felhom/domain/HostReport"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { NodeName } from "@felhom/domain/ProxmoxId"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { version } from "@felhom/domain/Version"
import type { Observation } from "@felhom/reconciler/Observation"
import { Effect } from "effect"

/** Who reports: what does not come from the observation itself. */
export interface Reporter {
  readonly id: HostId
  readonly epoch: HostEpoch
  readonly node: NodeName
  readonly bootId: string | null
}

/** At most this many events travel at once; the rest follows in the next report. */
export const eventsPerReport = 500

/** A hash over what the inventory says, without when it was read. */
export const inventoryHash = (inventory: Inventory): Effect.Effect<Sha256Hex, never, Crypto> =>
  Effect.flatMap(
    Crypto,
    (crypto) =>
      crypto.sha256(JSON.stringify(inventory, (key, value: unknown) => (key === "readAt" ? undefined : value)))
  )

/**
 * Puts an observation into a report's form. The inventory is left out when the hub holds the one with this hash already; a
 * `sequence` of null makes it a one-off report that replaces nothing.
 */
export const makeReport = (parts: {
  readonly reporter: Reporter
  readonly observation: Observation
  readonly sequence: number | null
  readonly events: ReadonlyArray<HostEvent>
  readonly eventsDropped: number
  readonly held: Sha256Hex | null
  readonly trust?: TrustStatus | null
}): Effect.Effect<HostReport, never, Crypto> =>
  Effect.map(inventoryHash(parts.observation.inventory), (hash) => ({
    typ: hostReportType,
    host: {
      ...parts.reporter,
      agentVersion: version,
      pveVersion: parts.observation.pveVersion,
      kernel: parts.observation.kernel
    },
    sequence: parts.sequence,
    takenAt: parts.observation.takenAt,
    inventoryHash: hash,
    inventory: parts.held === hash ? null : parts.observation.inventory,
    samples: parts.observation.samples,
    events: parts.events.slice(0, eventsPerReport),
    eventsDropped: parts.eventsDropped,
    sections: parts.observation.sections,
    trust: parts.trust ?? null
  }))
