import type { DiskSet, SetMember, SetMemberState } from "@felhom/domain/HostStorage"
import type { PolicyDisk, PolicyDiskSet } from "@felhom/domain/HostStoragePolicy"
import { type MountableDevice, mountRoot } from "@felhom/privileged/Mount"
import type { DiskRecord, DiskRecords } from "./DiskRecords.ts"

/** What the policy says of a set, and what is known of its disks. */
export interface KnownSet {
  readonly name: string
  readonly policy: PolicyDiskSet
  readonly records: DiskRecords
}

/** What is to be done for a set, one thing at a time. */
export type SetStep =
  | { readonly step: "mount"; readonly disk: string; readonly uuid: string; readonly path: string }
  /** What is mounted there, or was: another disk's turn comes, or it is not sure which disk it is. */
  | { readonly step: "clear" }
  | { readonly step: "none" }

/** How a set is, before anything is done for it. */
export interface SetSight {
  readonly members: ReadonlyArray<SetMember>
  /** The disk that is mounted in the set's place and is known to be the right one. */
  readonly mounted: string | null
  readonly next: SetStep
  /** Disks that are not plugged in: to eject them again takes plugging them in again. */
  readonly absent: ReadonlyArray<string>
}

export const placeOf = (set: string): string => `${mountRoot}/${set}`

const dayMillis = 86_400_000

/** The serial of the whole disk that a partition is on: lsblk tells it there alone. */
const serialOf = (device: MountableDevice, devices: ReadonlyArray<MountableDevice>): string | null =>
  device.serial ??
    devices.find(({ path, serial }) => serial !== null && path !== device.path && partOf(device.path, path))?.serial ??
    null

const partOf = (part: string, disk: string): boolean => {
  const rest = part.startsWith(disk) ? part.slice(disk.length) : ""
  return /\d$/.test(disk) ? /^p\d+$/.test(rest) : /^\d+$/.test(rest)
}

interface Found {
  readonly name: string
  readonly disk: PolicyDisk
  readonly record: DiskRecord | undefined
  readonly device: MountableDevice | undefined
  /** Why it can't be told which disk it is, or that it is another one. */
  readonly doubt: string | null
}

const find = (
  name: string,
  disk: PolicyDisk,
  record: DiskRecord | undefined,
  devices: ReadonlyArray<MountableDevice>
): Found => {
  const same = devices.filter(({ uuid }) => uuid?.toLowerCase() === disk.uuid.toLowerCase())
  const device = same[0]
  const of = { name, disk, record, device }
  if (device === undefined) return { ...of, doubt: null }
  if (same.length > 1) {
    const paths = same.map(({ path }) => path).join(" and ")
    return {
      ...of,
      doubt: `${paths} have its UUID (${disk.uuid}), as a copied disk has: unplug one, or give it another UUID`
    }
  }
  const serial = serialOf(device, devices)
  return disk.serial === null || serial === disk.serial ? { ...of, doubt: null } : {
    ...of,
    doubt: `${device.path} has its UUID and the serial number ${
      serial ?? "of none"
    }, where ${disk.serial} is named: it is a copy`
  }
}

/** How long it has been away; never mounted counts from when the policy named it. */
const isDue = ({ disk, record }: Found, now: number): boolean =>
  disk.backAfterDays !== null && record !== undefined &&
  now - (record.mountedAt ?? record.knownAt) > disk.backAfterDays * dayMillis

/**
 * Holds what is plugged in against a set. `proven` are the disks whose mark was seen since they were last mounted; a disk that is
 * mounted and not proven is asked for once more, by which its mark is looked at.
 */
export const sightOf = (
  { name, policy, records }: KnownSet,
  devices: ReadonlyArray<MountableDevice>,
  proven: ReadonlyMap<string, string>,
  now: number
): SetSight => {
  const place = placeOf(name)
  const found = Object.entries(policy.disks).map(([disk, entry]) =>
    find(disk, entry, recordOf(records, disk, entry), devices)
  )
  const there = found.find(({ device }) => device?.mountpoint === place)
  const isProven = there !== undefined && proven.get(there.name) === there.device?.path
  const mounted = there !== undefined && isProven ? there.name : null
  const candidates = found
    .filter(({ device, doubt, record }) =>
      device !== undefined && device.refusal === null && doubt === null && record?.ejected !== true
    )
    .toSorted((a, b) => (a.record?.mountedAt ?? 0) - (b.record?.mountedAt ?? 0))
  const [first] = candidates
  const member = (one: Found): SetMember => {
    const { device, doubt, record } = one
    const of = { name: one.name, mountedAt: record?.mountedAt ?? null }
    const as = (state: SetMemberState, why: string | null = null): SetMember => ({ ...of, state, why })
    if (one.name === mounted) return as("mounted", doubt)
    if (device === undefined) return isDue(one, now) ? as("due-back", `${one.name} is due back`) : as("away")
    if (record?.ejected === true) return as("ejected")
    if (doubt !== null) return as("refused", doubt)
    if (one === there) return as("present")
    return device.refusal === null ? as("present") : as("refused", device.refusal)
  }
  const mount = ({ device, disk, name }: Found): SetStep => ({
    step: "mount",
    disk: name,
    // As the disk itself writes it: root may have typed it in capitals.
    uuid: device?.uuid ?? disk.uuid,
    path: device?.path ?? ""
  })
  const next = (): SetStep => {
    if (mounted !== null) return { step: "none" }
    if (there !== undefined) return there.doubt === null ? mount(there) : { step: "clear" }
    if (first === undefined) return { step: "none" }
    const unitOf = records.sets[name]?.unitOf ?? null
    return unitOf === null || unitOf === first.name ? mount(first) : { step: "clear" }
  }
  return {
    members: found.map(member),
    mounted,
    next: next(),
    absent: found.filter(({ device }) => device === undefined).map((one) => one.name)
  }
}

/** What is known of a disk, unless the policy now means another one by that name. */
export const recordOf = (records: DiskRecords, name: string, { uuid }: PolicyDisk): DiskRecord | undefined => {
  const record = Object.hasOwn(records.disks, name) ? records.disks[name] : undefined
  return record?.uuid.toLowerCase() === uuid.toLowerCase() ? record : undefined
}

/** A set as it is told; `trouble` is what went wrong just now. */
export const toldSet = (
  { name, policy, records }: KnownSet,
  { members, mounted }: SetSight,
  trouble: string | null
): DiskSet => {
  const of = { name, storage: policy.storage, members }
  if (trouble !== null) return { ...of, state: "trouble", why: trouble }
  if (mounted !== null) return { ...of, state: "ready", why: null }
  const ejectedAt = records.sets[name]?.ejectedAt ?? null
  if (ejectedAt !== null) return { ...of, state: "ejected", why: null }
  const why = members.some(({ state }) => state === "refused")
    ? "no disk of it is mounted: what is plugged in is refused"
    : "no disk of it is plugged in; nothing is written to its storage meanwhile"
  return { ...of, state: "missing", why }
}
