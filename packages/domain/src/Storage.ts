import { Schema } from "effect"
import { StorageId } from "./ProxmoxId.ts"

/** A storage as it is set up on the node. `content` is a set, sorted here because Proxmox gives it in any order. */
export const Storage = Schema.Struct({
  storage: StorageId,
  type: Schema.String,
  content: Schema.Array(Schema.String),
  shared: Schema.Boolean,
  enabled: Schema.Boolean,
  /** False: it can't be reached or is not mounted, and its numbers mean nothing (platform-facts 7.2). */
  active: Schema.Boolean
})
export type Storage = typeof Storage.Type

/** A storage's room, in bytes; null while it is not active. */
export const StorageUsage = Schema.Struct({
  storage: StorageId,
  total: Schema.NullOr(Schema.Number),
  used: Schema.NullOr(Schema.Number),
  available: Schema.NullOr(Schema.Number)
})
export type StorageUsage = typeof StorageUsage.Type

/** A disk of the node. `health` is smartctl's own word (`PASSED`, `OK`, `UNKNOWN`); sizes in bytes. */
export const Disk = Schema.Struct({
  devicePath: Schema.String,
  type: Schema.String,
  size: Schema.NullOr(Schema.Number),
  model: Schema.NullOr(Schema.String),
  serial: Schema.NullOr(Schema.String),
  health: Schema.String,
  /** Per cent of life left as Proxmox computes it, or null where the disk doesn't say. */
  wearout: Schema.NullOr(Schema.Number),
  usedFor: Schema.NullOr(Schema.String)
})
export type Disk = typeof Disk.Type

/** One archive on a backup storage. `size` in bytes; `guest` is null when the file name names none (platform-facts 1.5.1). */
export const BackupArchive = Schema.Struct({
  volid: Schema.String,
  guest: Schema.NullOr(Schema.Int),
  guestType: Schema.NullOr(Schema.String),
  createdAt: Schema.NullOr(Schema.NonNegativeInt),
  size: Schema.NullOr(Schema.Number),
  protected: Schema.Boolean
})
export type BackupArchive = typeof BackupArchive.Type
