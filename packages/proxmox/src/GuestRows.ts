import { Snapshot } from "@felhom/domain/Guest"
import { trimDescription } from "@felhom/domain/GuestConfig"
import { GuestType, Vmid } from "@felhom/domain/ProxmoxId"
import { Schema } from "effect"
import * as Plain from "./Plain.ts"
import { booleanOrFalse, numberOrNull, plainTags, tagSet, textOrNull, WireBoolean, WireNumber } from "./Wire.ts"

/** A vmid as a number or as text. */
export const WireVmid = Schema.compose(WireNumber, Vmid)

/** `unknown` until Proxmox's own sampler has seen the guest, and for a word that this version does not know. */
const WireStatus = Schema.optionalWith(
  Schema.transform(Schema.NullOr(Schema.String), Schema.Literal("running", "stopped", "unknown"), {
    strict: true,
    decode: (text) => text === "running" || text === "stopped" ? text : "unknown" as const,
    encode: (status) => status
  }),
  { default: () => "unknown" as const }
)

const guestFields = {
  vmid: WireVmid,
  name: textOrNull,
  status: WireStatus,
  template: booleanOrFalse,
  lock: textOrNull,
  tags: tagSet,
  uptime: numberOrNull,
  cpu: numberOrNull,
  mem: numberOrNull,
  maxmem: numberOrNull,
  disk: numberOrNull,
  maxdisk: numberOrNull,
  netin: numberOrNull,
  netout: numberOrNull
}

/**
 * A guest as the node's own list and `status/current` give it, read at that moment. Bytes and seconds; `cpu` as a share of
 * one (0 on the first call to each worker).
 *
 * @see platform-facts 1.2
 */
export const GuestRow = Schema.Struct({ ...guestFields, cpus: numberOrNull, pid: numberOrNull, qmpstatus: textOrNull })
export type GuestRow = typeof GuestRow.Type

/**
 * A guest in `/cluster/resources`: `lock` and `tags` are live, all else is a sample about 10 s old, and absent for a guest
 * that was just made.
 *
 * @see platform-facts 1.1
 */
export const GuestResource = Schema.Struct({
  ...guestFields,
  type: GuestType,
  node: Schema.String,
  maxcpu: numberOrNull,
  pool: textOrNull,
  hastate: textOrNull
})
export type GuestResource = typeof GuestResource.Type

const plainStatus: Plain.Plain<GuestResource["status"]> = (value) =>
  value === "running" || value === "stopped" ? value : undefined

/** A `GuestResource` as it is nearly always written. */
export const plainGuestResource: Plain.Plain<GuestResource> = Plain.record<GuestResource>({
  vmid: Plain.remembered(WireVmid),
  name: Plain.orNull(Plain.text),
  status: plainStatus,
  template: Plain.flagOrFalse,
  lock: Plain.orNull(Plain.text),
  tags: plainTags,
  uptime: Plain.orNull(Plain.number),
  cpu: Plain.orNull(Plain.number),
  mem: Plain.orNull(Plain.number),
  maxmem: Plain.orNull(Plain.number),
  disk: Plain.orNull(Plain.number),
  maxdisk: Plain.orNull(Plain.number),
  netin: Plain.orNull(Plain.number),
  netout: Plain.orNull(Plain.number),
  type: Plain.remembered(GuestType),
  node: Plain.text,
  maxcpu: Plain.orNull(Plain.number),
  pool: Plain.orNull(Plain.text),
  hastate: Plain.orNull(Plain.text)
})

/** The pseudo snapshot at the end of a list of snapshots: which one the guest stands on now. */
export const CurrentState = Schema.Struct({
  name: Schema.Literal("current"),
  digest: textOrNull,
  running: booleanOrFalse,
  parent: textOrNull
})
export type CurrentState = typeof CurrentState.Type

const WireSnapshot = Schema.Struct({
  name: Schema.String,
  description: textOrNull,
  parent: textOrNull,
  snaptime: numberOrNull,
  snapstate: textOrNull
})

/**
 * A snapshot. Its description is without the newlines that Proxmox adds; `incomplete` when it was never finished or half
 * deleted.
 *
 * @see platform-facts 1.2, 5.10
 */
export const SnapshotRow = Schema.transform(WireSnapshot, Snapshot, {
  strict: true,
  decode: (row) => ({
    name: row.name,
    description: trimDescription(row.description ?? ""),
    parent: row.parent,
    takenAt: row.snaptime,
    incomplete: row.snapstate !== null
  }),
  encode: (snapshot) => ({
    name: snapshot.name,
    description: snapshot.description,
    parent: snapshot.parent,
    snaptime: snapshot.takenAt,
    snapstate: snapshot.incomplete ? "prepare" : null
  })
})

/** What `/feature` answers. */
export const Feature = Schema.Struct({ hasFeature: WireBoolean })

/** A guest's configuration: every key that came, known or not (platform-facts 5.1). */
export const WireGuestConfig = Schema.Record({ key: Schema.String, value: Schema.Unknown })
