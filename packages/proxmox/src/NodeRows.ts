import { NodeName } from "@felhom/domain/ProxmoxId"
import { Schema } from "effect"
import { booleanOrFalse, numberOrNull, textOrNull, WireBoolean, WireNumber } from "./Wire.ts"

/**
 * pve-manager's version (`9.2.11`) and release (`9.2`).
 *
 * @see platform-facts 1.1
 */
export const Version = Schema.Struct({ version: Schema.String, release: Schema.String, repoid: textOrNull })
export type Version = typeof Version.Type

/**
 * A node of the cluster. Bytes, seconds, and `cpu` as a share of one; null without Sys.Audit on it. `ssl_fingerprint` is that
 * of the certificate file, which runs ahead of the one served until pveproxy was reloaded.
 *
 * @see platform-facts 1.1, 11 item 9
 */
export const NodeRow = Schema.Struct({
  node: NodeName,
  status: textOrNull,
  uptime: numberOrNull,
  cpu: numberOrNull,
  maxcpu: numberOrNull,
  mem: numberOrNull,
  maxmem: numberOrNull,
  disk: numberOrNull,
  maxdisk: numberOrNull,
  ssl_fingerprint: textOrNull
})
export type NodeRow = typeof NodeRow.Type

/**
 * The node's own state. Bytes and seconds; `cpu` as a share of one over all cores; `loadavg` over 1, 5 and 15 minutes.
 *
 * @see platform-facts 1.1
 */
export const NodeStatus = Schema.Struct({
  uptime: numberOrNull,
  cpu: numberOrNull,
  loadavg: Schema.optionalWith(Schema.Array(WireNumber), { default: (): ReadonlyArray<number> => [] }),
  memory: Schema.Struct({ total: numberOrNull, used: numberOrNull, free: numberOrNull, available: numberOrNull }),
  swap: Schema.Struct({ total: numberOrNull, used: numberOrNull, free: numberOrNull }),
  rootfs: Schema.Struct({ total: numberOrNull, used: numberOrNull, avail: numberOrNull }),
  pveversion: textOrNull,
  kversion: textOrNull,
  "current-kernel": Schema.optionalWith(
    Schema.NullOr(Schema.Struct({ sysname: textOrNull, release: textOrNull, version: textOrNull })),
    { default: () => null }
  )
})
export type NodeStatus = typeof NodeStatus.Type

/**
 * A disk of the node. `size` in bytes; `health` is smartctl's own word (`PASSED`, `OK`, `UNKNOWN`); `wearout` in per cent of
 * life left, null where Proxmox says `N/A`; `used` what it serves as, for example `mounted`, `LVM`, `partitions`.
 *
 * @see platform-facts 1.8
 */
export const DiskRow = Schema.Struct({
  devpath: Schema.String,
  type: Schema.optionalWith(Schema.String, { default: () => "unknown" }),
  size: numberOrNull,
  model: textOrNull,
  serial: textOrNull,
  vendor: textOrNull,
  wwn: textOrNull,
  by_id_link: textOrNull,
  health: Schema.optionalWith(Schema.String, { default: () => "UNKNOWN" }),
  wearout: Schema.optionalWith(
    Schema.Union(
      WireNumber,
      Schema.transform(Schema.NullOr(Schema.String), Schema.Null, {
        strict: true,
        decode: () => null,
        encode: () => "N/A"
      })
    ),
    { default: () => null }
  ),
  used: textOrNull,
  mounted: booleanOrFalse
})
export type DiskRow = typeof DiskRow.Type

/**
 * What the asking token may do, by path. A privilege is held when its key is there; the value only says whether it is
 * inherited below that path.
 *
 * @see platform-facts 3.3
 */
export const Permissions = Schema.Record({
  key: Schema.String,
  value: Schema.Record({ key: Schema.String, value: WireBoolean })
})
export type Permissions = typeof Permissions.Type
