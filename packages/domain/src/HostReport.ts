import { Schema } from "effect"
import { Guest, GuestSample } from "./Guest.ts"
import { Health } from "./Health.ts"
import { HostEvent } from "./HostEvent.ts"
import { HostEpoch, HostId } from "./HostId.ts"
import { HostStorage } from "./HostStorage.ts"
import { NodeName } from "./ProxmoxId.ts"
import { Section } from "./Section.ts"
import { Sha256Hex } from "./Sha256.ts"
import { FleetId } from "./SignersDocument.ts"
import { BackupArchive, Disk, Storage, StorageUsage } from "./Storage.ts"
import { EpochMillis } from "./Time.ts"

export const hostReportType = "felhom/report/v1"

/** Who reports. Null: could not be read yet. */
export const ReportingHost = Schema.Struct({
  id: HostId,
  epoch: HostEpoch,
  /** The kernel's own id of this boot. */
  bootId: Schema.NullOr(Schema.String),
  node: NodeName,
  agentVersion: Schema.String,
  pveVersion: Schema.NullOr(Schema.String),
  kernel: Schema.NullOr(Schema.String)
})
export type ReportingHost = typeof ReportingHost.Type

/**
 * What stands between the desired state and the present one. `stale`: it has run out, or none of this epoch was taken yet; nothing
 * new is begun for it. An empty `drift` means that there is none only where `compared` is not false.
 */
export const DesiredStatus = Schema.Struct({
  epoch: Schema.String,
  version: Schema.Int,
  stale: Schema.Boolean,
  /** False: the host took it and holds nothing against it. */
  compared: Schema.optional(Schema.Boolean),
  drift: Schema.Array(Schema.Struct({ subject: Schema.String, reason: Schema.String })),
  blocked: Schema.Array(Schema.Struct({ subject: Schema.String, reason: Schema.String }))
})
export type DesiredStatus = typeof DesiredStatus.Type

/** What the host has and how it is set up: everything that does not move by itself. */
export const Inventory = Schema.Struct({
  guests: Section(Schema.Array(Guest)),
  storages: Section(Schema.Array(Storage)),
  disks: Section(Schema.Array(Disk)),
  policyHash: Schema.NullOr(Sha256Hex),
  desired: Schema.NullOr(DesiredStatus),
  hold: Schema.Boolean
})
export type Inventory = typeof Inventory.Type

/** The node's own load. Bytes; `cpu` as a share of one over all cores; `load` over 1, 5 and 15 minutes. */
export const NodeSample = Schema.Struct({
  uptimeSeconds: Schema.NullOr(Schema.Number),
  cpu: Schema.NullOr(Schema.Number),
  load: Schema.Array(Schema.Number),
  memoryTotal: Schema.NullOr(Schema.Number),
  memoryUsed: Schema.NullOr(Schema.Number),
  rootTotal: Schema.NullOr(Schema.Number),
  rootUsed: Schema.NullOr(Schema.Number)
})
export type NodeSample = typeof NodeSample.Type

/** A temperature in degrees Celsius, by the sensor's own name, and what it calls critical where it does. */
export const Temperature = Schema.Struct({
  sensor: Schema.String,
  celsius: Schema.Number,
  critical: Schema.optional(Schema.Number)
})
export type Temperature = typeof Temperature.Type

/** What moves all the time. */
export const Samples = Schema.Struct({
  node: Section(NodeSample),
  guests: Section(Schema.Array(GuestSample)),
  temperatures: Section(Schema.Array(Temperature))
})
export type Samples = typeof Samples.Type

/** The sections after the inventory: each is read, or says why it is not. */
export const ReportSections = Schema.Struct({
  storage: Section(Schema.Array(StorageUsage)),
  backup: Section(Schema.Array(BackupArchive)),
  restore: Section(Schema.Struct({})),
  pbs: Section(Schema.Array(Storage)),
  audit: Section(Schema.Struct({ head: Sha256Hex, length: Schema.Int })),
  /** Agents that judge nothing say nothing. */
  health: Schema.optional(Section(Health)),
  /** Agents that keep no storages say nothing. */
  hostStorage: Schema.optional(Section(HostStorage))
})
export type ReportSections = typeof ReportSections.Type

/** The last version of its fleet's signers that a host took. */
export const SignersStatus = Schema.Struct({
  fleet: FleetId,
  version: Schema.Int.pipe(Schema.positive()),
  /** Of the document's exact bytes. */
  sha256: Sha256Hex,
  /** Of its list of revoked keys, which holds beside root's own. The next version's `from.revoked`. */
  revoked: Sha256Hex,
  /** False: root has edited the host's own allow-list since, so that one holds, until a version continues from it. */
  followed: Schema.Boolean
})
export type SignersStatus = typeof SignersStatus.Type

/** The last desired state that a host took. `version` 0 and no hash: only the epoch was accepted so far. */
export const DesiredHeld = Schema.Struct({
  epoch: HostEpoch,
  version: Schema.NonNegativeInt,
  /** Of the document's exact bytes. */
  sha256: Schema.NullOr(Sha256Hex)
})
export type DesiredHeld = typeof DesiredHeld.Type

/** What a signed operation for this host must name, and what it will be held against (protocol 5). */
export const TrustStatus = Schema.Struct({
  /** The incarnation of the record of spent nonces: an op names it as its `hostEpoch`. */
  opEpoch: HostEpoch,
  /** The number of that record's last change: an op's `storeSeqMin`, by which a host that was set back is noticed. */
  storeSeq: Schema.NonNegativeInt,
  /**
   * SHA-256 of the list of signers and of the policy that hold now; null where there is none. The former is the next version's
   * `from.allowedSigners`.
   */
  signers: Schema.NullOr(Sha256Hex),
  policy: Schema.NullOr(Sha256Hex),
  hold: Schema.NullOr(Schema.Struct({ since: EpochMillis, reason: Schema.String })),
  /** Null: it took none, so the next one's `from.revoked` is the hash of the empty text. Agents that follow none say nothing. */
  fleet: Schema.optional(Schema.NullOr(SignersStatus)),
  /** Null: it never took any. Agents that take none say nothing. */
  desired: Schema.optional(Schema.NullOr(DesiredHeld))
})
export type TrustStatus = typeof TrustStatus.Type

/**
 * What an agent says to its hub, once a cycle.
 *
 * `sequence` counts a host's reports from 1 and is null for a one-off report (`selftest hub`), which a hub shows and never
 * lets replace the host's state. `inventory` is null while its hash is the one that the hub acknowledged last. Keys that a
 * reader does not know are ignored; `typ` carries the version.
 */
export const HostReport = Schema.Struct({
  typ: Schema.Literal(hostReportType),
  host: ReportingHost,
  sequence: Schema.NullOr(Schema.Int.pipe(Schema.positive())),
  takenAt: EpochMillis,
  inventoryHash: Sha256Hex,
  inventory: Schema.NullOr(Inventory),
  samples: Samples,
  events: Schema.Array(HostEvent),
  /** How many events of this host epoch fell out of the bounded queue before a hub took them: more than none means a gap. */
  eventsDropped: Schema.NonNegativeInt,
  sections: ReportSections,
  /** Null: the host can't say, and takes no signed operation. Agents before 0.3 say nothing. */
  trust: Schema.optional(Schema.NullOr(TrustStatus))
})
export type HostReport = typeof HostReport.Type
