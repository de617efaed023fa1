import type { Inventory, ReportSections, Samples } from "@felhom/domain/HostReport"
import type { EpochMillis } from "@felhom/domain/Time"

/**
 * How Proxmox VE answered. `refused` means that a person has to do something: a certificate that no pin names, a bad token, a
 * missing privilege; nothing is tried again for its sake but the next cycle. `unreachable` may pass by itself.
 */
export type ProxmoxCondition =
  | { readonly state: "ok" }
  | { readonly state: "refused" | "unreachable"; readonly reason: string }

/** What is, at one moment, as far as it could be read. What could not be read says why. */
export interface Observation {
  readonly takenAt: EpochMillis
  readonly proxmox: ProxmoxCondition
  readonly pveVersion: string | null
  readonly kernel: string | null
  readonly inventory: Inventory
  readonly samples: Samples
  readonly sections: ReportSections
}
