import { type GuestConfig, type GuestIdentity, guestIdentity } from "@felhom/domain/GuestConfig"
import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { formatGuestRef, type GuestType, Volid } from "@felhom/domain/ProxmoxId"
import type { SignedOp } from "@felhom/domain/SignedOp"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { ContentRow, StorageRow } from "@felhom/proxmox/StorageRows"
import { Array as Arr, Clock, Effect, Either } from "effect"
import { type Unmet, volumeRow } from "./Expectation.ts"

/** A backup that is older is none, in days: what it would bring back is another guest than the one that is lost. */
const oldest = 30

/** So many of the newest backups of a guest are looked into; more would keep the host's daemon busy. */
const mostRead = 8

/** An op that may be done without any backup only if its signers say so (protocol 5). */
type ProvenOp = Extract<SignedOp, { readonly params: { readonly acceptNoProvenBackup: boolean } }>

const asksForProof = (op: SignedOp): op is ProvenOp => "acceptNoProvenBackup" in op.params

type Asked = Effect.Effect<Unmet, ProxmoxError, ProxmoxClient>

const proven: Unmet = undefined

/** The archived configuration of a guest as the API would give it; what stands behind the first section is of a snapshot. */
const parseArchived = (text: string): GuestConfig => {
  const config: { [key: string]: string } = {}
  for (const line of text.split("\n")) {
    if (line.startsWith("[")) break
    const [, key, value] = /^([a-z][a-z0-9_]*):\s*(.*?)\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) config[key] = value
  }
  return config
}

/** A backup leaves out a container's mount points unless they say otherwise, and takes a machine's disks (platform-facts 6.5). */
const isBackedUp = (type: GuestType, key: string, text: string): boolean => {
  const backup = propertyOf(parsePropertyString(text), "backup")
  return type === "qemu" ? backup !== "0" : key === "rootfs" || backup === "1"
}

/** The volumes in a configuration, by their keys. */
const volumesIn = (type: GuestType, config: GuestConfig) =>
  Object.entries(config).flatMap(([key, text]) => {
    const [volid] = guestIdentity(type, { [key]: text }).volumes
    return volid === undefined || typeof text !== "string" ? [] : [{ key, text, volid }]
  })

/** By what a guest is told from another one that had its number before it. */
const isOf = (identity: GuestIdentity, archived: GuestIdentity): boolean =>
  identity.smbiosUuid === null
    ? identity.hwaddrs.some((address) => archived.hwaddrs.includes(address))
    : identity.smbiosUuid === archived.smbiosUuid

/** Why a backup with this configuration in it does not hold what the op may lose; undefined when it does. */
type Judge = (type: GuestType, archived: GuestConfig, row: ContentRow) => Unmet

const day = 86_400

const dateOf = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10)

/** Archives of the number on one storage, or why they can't be listed. */
const archivesOn = (
  { active, storage }: StorageRow,
  vmid: number
): Effect.Effect<Either.Either<ReadonlyArray<ContentRow>, string>, never, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const unread = (why: string) => Either.left(`${storage} could not be looked at: ${why}`)
    if (!active) return unread("it is not active")
    return yield* Effect.match(client.storageContent(storage, { content: "backup", vmid }), {
      onFailure: ({ message }) => unread(message),
      onSuccess: ({ rows }) => Either.right(rows)
    })
  })

/** Finished archives of the number, whoever made them, newest first; and which storages could not be looked at. */
const archivesOf = (vmid: number) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows } = yield* client.storages
    const places = rows.filter((row) => row.enabled && row.content.includes("backup"))
    const [unread, lists] = Arr.separate(yield* Effect.forEach(places, (place) => archivesOn(place, vmid)))
    return {
      archives: lists.flat()
        // One that is still written, or that its server found to be broken, is none.
        .filter((row) => row.vmid === vmid && (row.size ?? 0) > 0 && row.verification?.state !== "failed")
        .toSorted((a, b) => (b.ctime ?? 0) - (a.ctime ?? 0)),
      unread
    }
  })

/** Looks for one backup of the number that holds what is to be held, the newest first. */
const heldBySome = (vmid: number, types: ReadonlyArray<GuestType>, what: string, judge: Judge): Asked =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { archives, unread } = yield* archivesOf(vmid)
    const ofType = archives.filter(({ subtype }) => subtype === null || types.some((type) => type === subtype))
    const since = Math.floor((yield* Clock.currentTimeMillis) / 1000) - oldest * day
    const why: Array<string> = []
    for (const row of ofType.slice(0, mostRead)) {
      if ((row.ctime ?? 0) < since) {
        why.push(`${row.volid} is of ${dateOf(row.ctime ?? 0)}, more than ${oldest} days ago`)
        break
      }
      const type = types.find((one) => one === row.subtype) ?? types[0] ?? "lxc"
      const read = yield* Effect.either(client.archivedConfig(Volid.make(row.volid)))
      const missing = Either.match(read, {
        onLeft: ({ message }) => `it can't be looked into: ${message}`,
        onRight: (text) => judge(type, parseArchived(text), row)
      })
      if (missing === undefined) return proven
      why.push(`${row.volid}: ${missing}`)
    }
    const found = why.length === 0 ? `no storage of this host has a backup of ${what}` : `no backup holds ${what}`
    // The newest ones say best what is missing.
    const reasons = [...why.slice(0, 2), ...unread]
    return `${found}${reasons.length === 0 ? "" : ` (${reasons.join("; ")})`}`
  })

/** All that the guest has has to be in one backup of it. */
const ofGuest = (op: Extract<ProvenOp, { readonly target: { readonly guest: unknown } }>): Asked =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { guest } = op.target
    const name = formatGuestRef(guest)
    const config = yield* client.guestConfig(guest)
    const identity = guestIdentity(guest.type, config)
    if (identity.smbiosUuid === null && identity.hwaddrs.length === 0) {
      return `${name} has no network card by which a backup of it could be told from one of another guest`
    }
    const held = volumesIn(guest.type, config)
    const left = held.find(({ key, text }) => !isBackedUp(guest.type, key, text))
    if (left !== undefined) return `backups of ${name} leave out its volume ${left.volid} (${left.key})`
    const spare = op.op === "guest.destroy"
      ? Object.entries(config).find(([key]) => /^unused\d+$/.test(key))
      : undefined
    if (spare !== undefined) return `backups of ${name} leave out its volume ${String(spare[1])} (${spare[0]})`
    return yield* heldBySome(guest.vmid, [guest.type], name, (type, archived) => {
      if (!isOf(identity, guestIdentity(type, archived))) return "it is of another guest that had the number"
      const inside = new Set(
        volumesIn(type, archived).flatMap(({ key, text }) => (isBackedUp(type, key, text) ? [key] : []))
      )
      const missing = held.find(({ key }) => !inside.has(key))
      return missing === undefined ? proven : `it does not have the volume ${missing.volid} (${missing.key})`
    })
  })

/** Of a volume outside of all configurations only its name can tell whose it was. */
const ofVolume = (op: Extract<ProvenOp, { readonly op: "volume.delete" }>): Asked =>
  Effect.gen(function*() {
    const { volid } = op.target
    const row = yield* volumeRow(op)
    if (
      row === undefined || row.vmid === null
    ) return `nothing says of which guest ${volid} is, so no backup can be found`
    const made = row.ctime ?? 0
    return yield* heldBySome(row.vmid, ["lxc", "qemu"], volid, (type, archived, archive) => {
      if ((archive.ctime ?? 0) < made) return "it is older than the volume"
      const found = volumesIn(type, archived).find((one) => one.volid === volid)
      return found !== undefined && isBackedUp(type, found.key, found.text) ? proven : "it does not have the volume"
    })
  })

/**
 * Why the op would lose what no backup holds; undefined when one does, or when its signers accept that none does. Counts what
 * this host can tell: a finished archive that is not older than 30 days, of this very guest, with every volume that it has.
 * That it can be restored it does not tell.
 */
export const backupMissing = (op: SignedOp): Asked => {
  if (!asksForProof(op) || op.params.acceptNoProvenBackup) return Effect.succeed(proven)
  return op.op === "volume.delete" ? ofVolume(op) : ofGuest(op)
}
