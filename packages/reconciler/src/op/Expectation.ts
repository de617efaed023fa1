import { configHash, type GuestConfig, type GuestIdentity, guestIdentity } from "@felhom/domain/GuestConfig"
import type { Crypto } from "@felhom/domain/port/Crypto"
import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { formatGuestRef, type GuestRef } from "@felhom/domain/ProxmoxId"
import type { SignedOp } from "@felhom/domain/SignedOp"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { ContentRow } from "@felhom/proxmox/StorageRows"
import { Effect } from "effect"
import { guestInCluster } from "./GuestInCluster.ts"
import { type GuestOp, storageOf, type VolumeOp } from "./OpTarget.ts"

/** Why the target is not what the operator was shown; undefined when it is. */
export type Unmet = string | undefined

const asShown: Unmet = undefined

/** It is what was shown. */
export const met: Effect.Effect<Unmet> = Effect.succeed(asShown)

type Asked = Effect.Effect<Unmet, ProxmoxError, ProxmoxClient | Crypto>

const sameList = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): boolean =>
  JSON.stringify([...one].sort()) === JSON.stringify([...other].sort())

const identityUnmet = (shown: GuestIdentity, found: GuestIdentity): Unmet => {
  if (!sameList(shown.hwaddrs, found.hwaddrs)) return "its network addresses are others"
  if (!sameList(shown.volumes, found.volumes)) return "its volumes are others"
  if (shown.smbiosUuid !== found.smbiosUuid) return "its SMBIOS uuid is another"
  return shown.key === found.key ? undefined : "the agent's own record of it is another"
}

/** Volumes that belong to the guest and that it does not use. */
const unused = (config: GuestConfig): ReadonlyArray<string> =>
  Object.entries(config).flatMap(([key, value]) => {
    if (!/^unused\d+$/.test(key) || typeof value !== "string") return []
    const property = parsePropertyString(value)
    const volid = property.bare ?? propertyOf(property, "volume") ?? propertyOf(property, "file")
    return volid === undefined ? [] : [volid]
  })

const volumesUnmet = (op: GuestOp, config: GuestConfig): Asked =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const used = guestIdentity(op.target.guest.type, config).volumes
    const owned = new Set([...used, ...unused(config)])
    const shown = new Map<string, number | null>(op.expect.volumes.map(({ size, volid }) => [volid, size]))
    const missing = used.find((volid) => !shown.has(volid))
    if (missing !== undefined) return `it has a volume that was not shown, ${missing}`
    for (const { size, volid } of op.expect.volumes) {
      if (!owned.has(volid)) return `it has no volume ${volid} any more`
      if (size === null) continue
      const { rows } = yield* client.storageContent(storageOf(volid), { vmid: op.target.guest.vmid })
      const row = rows.find((one) => one.volid === volid)
      if (row === undefined) return `the storage has no volume ${volid}`
      if (row.size !== size) return `the volume ${volid} has ${row.size ?? "unknown"} bytes and not ${size}`
    }
    return undefined
  })

const snapshotsUnmet = (op: GuestOp): Asked =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows, unreadable } = yield* client.snapshots(op.target.guest)
    if (unreadable.length > 0) return "its snapshots can't all be read"
    const shown = new Map<string, number | null>(op.expect.snapshots.map(({ name, takenAt }) => [name, takenAt]))
    for (const { name, takenAt } of rows) {
      const seen = shown.get(name)
      if (seen === undefined) return `it has a snapshot that was not shown, ${name}`
      if (seen !== null && seen !== takenAt) return `its snapshot ${name} was taken at another time`
    }
    const gone = [...shown.keys()].find((name) => !rows.some((row) => row.name === name))
    if (gone !== undefined) return `it has no snapshot ${gone} any more`
    if (op.op !== "snapshot.delete" && op.op !== "guest.rollback") return undefined
    const target = rows.find((row) => row.name === op.target.snapshot)
    if (target === undefined) return `it has no snapshot ${op.target.snapshot}`
    return target.takenAt === op.expect.takenAt
      ? undefined
      : `its snapshot ${op.target.snapshot} was taken at another time than shown`
  })

const guestUnmet = (op: GuestOp): Asked =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { guest } = op.target
    const config = yield* client.guestConfig(guest)
    // Who it is comes first: a vmid is used again.
    const other = identityUnmet(op.expect.identity, guestIdentity(guest.type, config))
    if (other !== undefined) return `${formatGuestRef(guest)} is another guest now: ${other}`
    if ((yield* configHash(config)) !== op.expect.configHash) {
      return `the configuration of ${formatGuestRef(guest)} has been changed`
    }
    if (op.expect.name !== null && (yield* client.guestStatus(guest)).name !== op.expect.name) {
      return `${formatGuestRef(guest)} has another name`
    }
    return (yield* volumesUnmet(op, config)) ?? (yield* snapshotsUnmet(op))
  })

/** The row of a volume; undefined where the storage has none by that name. */
export const volumeRow = (
  op: VolumeOp
): Effect.Effect<ContentRow | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows } = yield* client.storageContent(storageOf(op.target.volid))
    return rows.find(({ volid }) => volid === op.target.volid)
  })

const volumeUnmet = (op: VolumeOp): Asked =>
  Effect.map(volumeRow(op), (row) => {
    if (row === undefined) return `there is no ${op.target.volid} any more`
    if (row.size !== op.expect.size) {
      return `${op.target.volid} has ${row.size ?? "unknown"} bytes and not ${op.expect.size}`
    }
    return op.expect.createdAt === null || row.ctime === op.expect.createdAt
      ? undefined
      : `${op.target.volid} was made at another time than shown`
  })

/** Why a guest is not here, where the cluster knows: another node has it, or another guest has its number. */
const whereabouts = ({ type, vmid }: GuestRef, otherwise: string) =>
  Effect.gen(function*() {
    const { node } = yield* ProxmoxClient
    const found = yield* guestInCluster(vmid)
    if (found === undefined) return otherwise
    if (found.node !== node) {
      return `${
        formatGuestRef(found)
      } is on the node ${found.node} now, and this host does nothing there: sign it for the host ` +
        `of that node, if it has one`
    }
    return found.type === type ? otherwise : `${formatGuestRef(found)} has its number now: ${otherwise}`
  })

const gone: ReadonlySet<ProxmoxError["reason"]> = new Set([
  "guest-not-found",
  "snapshot-not-found",
  "storage-not-found"
])

/**
 * Whether the target on the host still is what the operator was shown, read from Proxmox now (protocol 5, step 13). A target
 * that is gone is not. Fails where it could not be read.
 */
export const expectationUnmet = (op: SignedOp): Asked =>
  Effect.suspend((): Asked => {
    if ("guest" in op.target) return guestUnmet(op as GuestOp)
    if ("volid" in op.target) return volumeUnmet(op as VolumeOp)
    if (op.op !== "storage.remove") return met
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const { rows } = yield* client.storageConfig
      const found = rows.find(({ storage }) => storage === op.target.storage)
      if (found === undefined) return `there is no storage ${op.target.storage} any more`
      return found.type === op.expect.type ? undefined : `the storage ${op.target.storage} is of type ${found.type} now`
    })
  }).pipe(
    Effect.catchIf((error) => gone.has(error.reason), ({ message }): Asked =>
      "guest" in op.target ? whereabouts(op.target.guest, message) : Effect.succeed(message))
  )
