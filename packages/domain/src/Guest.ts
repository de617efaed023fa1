import { Schema } from "effect"
import { GuestIdentity } from "./GuestConfig.ts"
import { GuestType, Vmid } from "./ProxmoxId.ts"
import { Section } from "./Section.ts"
import { Sha256Hex } from "./Sha256.ts"
import { EpochSeconds } from "./Time.ts"

/** A snapshot of a guest. `takenAt` is null where the list gave no time; `incomplete` when it was never finished or half deleted. */
export const Snapshot = Schema.Struct({
  name: Schema.String,
  description: Schema.String,
  parent: Schema.NullOr(Schema.String),
  takenAt: Schema.NullOr(EpochSeconds),
  incomplete: Schema.Boolean
})
export type Snapshot = typeof Snapshot.Type

/** `unknown` until Proxmox's own sampler has seen the guest (platform-facts 7.2). */
export const GuestStatus = Schema.Literal("running", "stopped", "unknown")
export type GuestStatus = typeof GuestStatus.Type

/** What was read of a guest's configuration, and what follows from it. */
export const GuestConfigReading = Schema.Struct({
  identity: GuestIdentity,
  hash: Sha256Hex,
  protection: Schema.Boolean,
  onboot: Schema.Boolean,
  /** The description as a person wrote it, without the newlines that Proxmox adds. */
  description: Schema.NullOr(Schema.String)
})
export type GuestConfigReading = typeof GuestConfigReading.Type

/**
 * One guest, as it stands in the inventory: nothing in here changes while a guest merely runs. Names and tags come from
 * whoever runs the guest; show them through `displayText` only.
 */
export const Guest = Schema.Struct({
  type: GuestType,
  vmid: Vmid,
  name: Schema.NullOr(Schema.String),
  status: GuestStatus,
  template: Schema.Boolean,
  /** Why Proxmox refuses changes right now, for example `backup` (platform-facts 5.8). */
  lock: Schema.NullOr(Schema.String),
  tags: Schema.Array(Schema.String),
  cpus: Schema.NullOr(Schema.Number),
  /** Bytes. */
  memory: Schema.NullOr(Schema.Number),
  /** Bytes, of the root disk. */
  disk: Schema.NullOr(Schema.Number),
  config: Section(GuestConfigReading),
  snapshots: Section(Schema.Array(Snapshot))
})
export type Guest = typeof Guest.Type

/** What moves while a guest runs. Bytes, and `cpu` as a share of one (1 = all of its cores busy). Null: not known yet. */
export const GuestSample = Schema.Struct({
  type: GuestType,
  vmid: Vmid,
  uptimeSeconds: Schema.NullOr(Schema.Number),
  cpu: Schema.NullOr(Schema.Number),
  memoryUsed: Schema.NullOr(Schema.Number),
  diskUsed: Schema.NullOr(Schema.Number),
  netIn: Schema.NullOr(Schema.Number),
  netOut: Schema.NullOr(Schema.Number)
})
export type GuestSample = typeof GuestSample.Type
