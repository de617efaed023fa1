import { StorageId } from "@felhom/domain/ProxmoxId"
import { Schema } from "effect"
import * as Plain from "./Plain.ts"
import { booleanOrFalse, contentSet, numberOrNull, plainContent, textOrNull } from "./Wire.ts"

/**
 * A storage on the node. Bytes; with `active` false it can't be reached or is not mounted, and its numbers mean nothing.
 *
 * @see platform-facts 1.5, 7.2
 */
export const StorageRow = Schema.Struct({
  storage: StorageId,
  type: Schema.String,
  content: contentSet,
  shared: booleanOrFalse,
  enabled: booleanOrFalse,
  active: booleanOrFalse,
  total: numberOrNull,
  used: numberOrNull,
  avail: numberOrNull
})
export type StorageRow = typeof StorageRow.Type

/** A `StorageRow` as it is nearly always written. */
export const plainStorageRow: Plain.Plain<StorageRow> = Plain.record<StorageRow>({
  storage: Plain.remembered(StorageId),
  type: Plain.text,
  content: plainContent,
  shared: Plain.flagOrFalse,
  enabled: Plain.flagOrFalse,
  active: Plain.flagOrFalse,
  total: Plain.orNull(Plain.number),
  used: Plain.orNull(Plain.number),
  avail: Plain.orNull(Plain.number)
})

/**
 * A storage in `/cluster/resources`, as sampled: `status` is `available` or `unknown`.
 *
 * @see platform-facts 1.1
 */
export const StorageResource = Schema.Struct({
  storage: StorageId,
  node: Schema.String,
  plugintype: textOrNull,
  status: textOrNull,
  shared: booleanOrFalse,
  content: contentSet,
  disk: numberOrNull,
  maxdisk: numberOrNull
})
export type StorageResource = typeof StorageResource.Type

/** A `StorageResource` as it is nearly always written. */
export const plainStorageResource: Plain.Plain<StorageResource> = Plain.record<StorageResource>({
  storage: Plain.remembered(StorageId),
  node: Plain.text,
  plugintype: Plain.orNull(Plain.text),
  status: Plain.orNull(Plain.text),
  shared: Plain.flagOrFalse,
  content: plainContent,
  disk: Plain.orNull(Plain.number),
  maxdisk: Plain.orNull(Plain.number)
})

/**
 * A storage's configuration: `content` as a sorted set, and every other key as it came. Holds no secrets.
 *
 * @see platform-facts 1.6
 */
export const StorageConfig = Schema.Struct(
  { storage: StorageId, type: Schema.String, content: contentSet },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
)
export type StorageConfig = typeof StorageConfig.Type

/**
 * A volume on a storage. `size` in bytes (of the archive's logical content on a Proxmox Backup Server); `ctime` in seconds
 * since the epoch, from the name in the host's local time for a directory storage; `vmid` is the owner that the name names.
 *
 * @see platform-facts 1.5.2
 */
export const ContentRow = Schema.Struct({
  volid: Schema.String,
  content: Schema.String,
  format: textOrNull,
  size: numberOrNull,
  ctime: numberOrNull,
  vmid: numberOrNull,
  subtype: textOrNull,
  notes: textOrNull,
  protected: booleanOrFalse,
  encrypted: textOrNull,
  /** A backup server's last check of it; null: never checked. Its UPID is that server's, not one of Proxmox VE. */
  verification: Schema.optionalWith(Schema.NullOr(Schema.Struct({ state: Schema.String, upid: textOrNull })), {
    default: () => null
  })
})
export type ContentRow = typeof ContentRow.Type

/**
 * What writing a storage's configuration answers; `encryption-key` is there once, when Proxmox made one.
 *
 * @see platform-facts 1.6
 */
export const StorageWritten = Schema.Struct({
  storage: Schema.String,
  type: Schema.String,
  config: Schema.optionalWith(Schema.NullOr(Schema.Struct({ "encryption-key": textOrNull })), { default: () => null })
})
