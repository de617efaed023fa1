import { NodeName } from "@felhom/domain/ProxmoxId"
import { Schema } from "effect"
import * as Plain from "./Plain.ts"
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

const plainNumber = Plain.orNull(Plain.number)
const plainText = Plain.orNull(Plain.text)

/** A `NodeRow` as it is nearly always written. */
export const plainNodeRow: Plain.Plain<NodeRow> = Plain.record<NodeRow>({
  node: Plain.remembered(NodeName),
  status: plainText,
  uptime: plainNumber,
  cpu: plainNumber,
  maxcpu: plainNumber,
  mem: plainNumber,
  maxmem: plainNumber,
  disk: plainNumber,
  maxdisk: plainNumber,
  ssl_fingerprint: plainText
})

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

/** The three averages come as texts (platform-facts 1.1). */
const plainLoads: Plain.Plain<NodeStatus["loadavg"]> = (value) => {
  if (!Array.isArray(value)) return undefined
  const loads: Array<number> = []
  for (const one of value) {
    // No other way to write a number is taken here than the one that all agree on.
    const load = typeof one === "string" && /^\d{1,9}(?:\.\d{1,9})?$/.test(one) ? Number(one) : Plain.number(one)
    if (load === undefined) return undefined
    loads.push(load)
  }
  return loads
}

/** A `NodeStatus` as it is nearly always written. */
export const plainNodeStatus: Plain.Plain<NodeStatus> = Plain.record<NodeStatus>({
  uptime: plainNumber,
  cpu: plainNumber,
  loadavg: plainLoads,
  memory: Plain.record<NodeStatus["memory"]>({
    total: plainNumber,
    used: plainNumber,
    free: plainNumber,
    available: plainNumber
  }),
  swap: Plain.record<NodeStatus["swap"]>({ total: plainNumber, used: plainNumber, free: plainNumber }),
  rootfs: Plain.record<NodeStatus["rootfs"]>({ total: plainNumber, used: plainNumber, avail: plainNumber }),
  pveversion: plainText,
  kversion: plainText,
  "current-kernel": Plain.orNull(
    Plain.record<NonNullable<NodeStatus["current-kernel"]>>({
      sysname: plainText,
      release: plainText,
      version: plainText
    })
  )
})

const wearoutOrNull = Schema.optionalWith(
  Schema.Union(
    WireNumber,
    Schema.transform(Schema.NullOr(Schema.String), Schema.Null, {
      strict: true,
      decode: () => null,
      encode: () => "N/A"
    })
  ),
  { default: () => null }
)

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
  wearout: wearoutOrNull,
  used: textOrNull,
  mounted: booleanOrFalse
})
export type DiskRow = typeof DiskRow.Type

/**
 * A thin pool of LVM's; bytes. It keeps its books in `metadata`: when those are full, every guest on it stands still, however
 * much room for data is left.
 *
 * @see platform-facts 1.8
 */
export const ThinPoolRow = Schema.Struct({
  vg: Schema.String,
  lv: Schema.String,
  lv_size: numberOrNull,
  used: numberOrNull,
  metadata_size: numberOrNull,
  metadata_used: numberOrNull
})
export type ThinPoolRow = typeof ThinPoolRow.Type

/** A `ThinPoolRow` as it is nearly always written. */
export const plainThinPoolRow: Plain.Plain<ThinPoolRow> = Plain.record<ThinPoolRow>({
  vg: Plain.text,
  lv: Plain.text,
  lv_size: plainNumber,
  used: plainNumber,
  metadata_size: plainNumber,
  metadata_used: plainNumber
})

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

/**
 * The node's clock. `time` in seconds since the epoch; `localtime` the same moved by the zone's offset.
 *
 * @see platform-facts 1.1
 */
export const NodeTime = Schema.Struct({ time: WireNumber, localtime: WireNumber, timezone: textOrNull })
export type NodeTime = typeof NodeTime.Type

/**
 * A certificate file of the node: `pve-root-ca.pem`, `pve-ssl.pem`, or `pveproxy-ssl.pem` where there is one, which is then the
 * one that is served. `fingerprint` is the SHA-256 of the certificate as `AA:BB:…`; times in seconds since the epoch; `pem`
 * the certificate itself. A file that was renewed shows here before pveproxy serves it.
 *
 * @see platform-facts 1.1, 3.6, 11 item 9
 */
export const CertificateRow = Schema.Struct({
  filename: Schema.String,
  fingerprint: textOrNull,
  subject: textOrNull,
  issuer: textOrNull,
  notbefore: numberOrNull,
  notafter: numberOrNull,
  pem: textOrNull
})
export type CertificateRow = typeof CertificateRow.Type

/**
 * A row of the cluster's status: the cluster itself, which only a host that is part of one has, or one of its nodes.
 * `quorate` and `nodes` belong to the former, `local` and `online` to the latter.
 *
 * @see platform-facts 1.1
 */
export const ClusterStatusRow = Schema.Struct({
  type: Schema.String,
  name: Schema.String,
  local: booleanOrFalse,
  online: booleanOrFalse,
  quorate: booleanOrFalse,
  nodes: numberOrNull
})
export type ClusterStatusRow = typeof ClusterStatusRow.Type

const SmartAttribute = Schema.Struct({
  id: textOrNull,
  name: textOrNull,
  value: textOrNull,
  worst: textOrNull,
  threshold: textOrNull,
  raw: textOrNull,
  fail: textOrNull
})

/**
 * What smartctl says of a disk: a table of attributes for ATA, text for NVMe and SAS. `health` is its own word, `UNKNOWN` when
 * it could not be asked; `wearout` in per cent of life left.
 *
 * @see platform-facts 1.8
 */
export const SmartReading = Schema.Struct({
  health: Schema.optionalWith(Schema.String, { default: () => "UNKNOWN" }),
  type: textOrNull,
  attributes: Schema.optionalWith(Schema.Array(SmartAttribute), {
    default: (): ReadonlyArray<typeof SmartAttribute.Type> => []
  }),
  text: textOrNull,
  wearout: wearoutOrNull
})
export type SmartReading = typeof SmartReading.Type
