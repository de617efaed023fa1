import type { GuestConfig } from "@felhom/domain/GuestConfig"
import type { Inventory, ReportSections, Samples } from "@felhom/domain/HostReport"
import type { GuestRef, NodeName } from "@felhom/domain/ProxmoxId"
import type { EpochMillis } from "@felhom/domain/Time"
import type { GuestResource } from "@felhom/proxmox/GuestRows"
import type { StorageRow } from "@felhom/proxmox/StorageRows"
import type { Effect } from "effect"

/**
 * How Proxmox VE answered. `refused` means that a person has to do something: a certificate that no pin names, a bad token, a
 * missing privilege; nothing is tried again for its sake but the next cycle. `unreachable` may pass by itself.
 */
export type ProxmoxCondition =
  | { readonly state: "ok" }
  | { readonly state: "refused" | "unreachable"; readonly reason: string }

/** What an observation saw of guests and storages, as Proxmox answered it, for whoever plans by it. */
export interface SeenHost {
  readonly node: NodeName
  /** Of all nodes; what runs is some seconds old (platform-facts 1.1). */
  readonly guests: ReadonlyArray<GuestResource>
  /** Of this node's guests by `type/vmid`, pending changes merged in; without those that could not be read. */
  readonly configs: ReadonlyMap<string, GuestConfig>
  readonly storages: ReadonlyArray<StorageRow>
  /** This guest was changed, or may have been: the next observation reads its configuration anew. */
  readonly doubt: (ref: GuestRef) => Effect.Effect<void>
}

/** What is, at one moment, as far as it could be read. What could not be read says why. */
export interface Observation {
  readonly takenAt: EpochMillis
  readonly proxmox: ProxmoxCondition
  readonly pveVersion: string | null
  readonly kernel: string | null
  readonly inventory: Inventory
  readonly samples: Samples
  readonly sections: ReportSections
  /** Undefined where Proxmox could not be asked, or listed what can't be read. */
  readonly seen?: SeenHost
}
