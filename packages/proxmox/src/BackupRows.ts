import { Volid } from "@felhom/domain/ProxmoxId"
import { Schema } from "effect"
import { booleanOrFalse, numberOrNull, textOrNull, WireBoolean } from "./Wire.ts"

/**
 * A backup job of Proxmox VE itself. `vmid` is a list of numbers as text; with `all` every guest but those in `exclude`;
 * `node` null for all nodes of the cluster; `next-run` in seconds since the epoch.
 *
 * @see platform-facts 1.4
 */
export const BackupJob = Schema.Struct({
  id: Schema.String,
  type: textOrNull,
  enabled: Schema.optionalWith(WireBoolean, { default: () => true }),
  schedule: textOrNull,
  storage: textOrNull,
  node: textOrNull,
  vmid: textOrNull,
  all: booleanOrFalse,
  exclude: textOrNull,
  pool: textOrNull,
  mode: textOrNull,
  comment: textOrNull,
  "next-run": numberOrNull
})
export type BackupJob = typeof BackupJob.Type

/**
 * One volume for itself. `path` on the node, `size` and `used` in bytes; `notes` whole, where a listing has the first line
 * only.
 *
 * @see platform-facts 1.5
 */
export const VolumeAttributes = Schema.Struct({
  path: textOrNull,
  size: numberOrNull,
  used: numberOrNull,
  format: textOrNull,
  notes: textOrNull,
  protected: booleanOrFalse
})
export type VolumeAttributes = typeof VolumeAttributes.Type

/**
 * What a retention would do with one archive: `renamed` is a name that pruning does not know, and is left alone. `ctime` in
 * seconds since the epoch.
 *
 * @see platform-facts 1.5, 6.4
 */
export const PruneMark = Schema.Struct({
  volid: Volid,
  mark: Schema.Literal("keep", "remove", "protected", "renamed"),
  type: textOrNull,
  ctime: numberOrNull,
  vmid: numberOrNull
})
export type PruneMark = typeof PruneMark.Type
