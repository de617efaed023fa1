import { displayTextWithin } from "@felhom/domain/DisplayText"
import { Schema } from "effect"
import { type BlockDevice, withDescendants } from "./BlockDevice.ts"
import { FilesystemUuid, type MountableDevice, mountRoot } from "./Mount.ts"
import { mountableTypes } from "./MountUnit.ts"

/** Why a device is not mounted. */
export type DiskRefusal =
  | "system"
  | "mounted-elsewhere"
  | "member"
  | "not-a-disk"
  | "has-partitions"
  | "already"
  | "swap"
  | "no-file-system"
  | "unknown-file-system"
  | "no-uuid"
  | "two-of-one-uuid"
  | "read-only"

/** Whether a device may be mounted; `why` is a whole sentence for a person. */
export type DiskVerdict =
  | { readonly mountable: true; readonly uuid: FilesystemUuid; readonly type: string }
  | { readonly mountable: false; readonly reason: DiskRefusal; readonly why: string }

/** A device with what is known of the whole disk that it is on. */
export interface PlacedDevice {
  readonly device: BlockDevice
  /** The disk, and all that is on it or made of it. */
  readonly disk: ReadonlyArray<BlockDevice>
}

/** Every device once for each disk that it is made of. */
export const placed = (roots: ReadonlyArray<BlockDevice>): ReadonlyArray<PlacedDevice> =>
  roots.flatMap((root) => {
    const disk = withDescendants(root)
    return disk.map((device) => ({ device, disk }))
  })

const longestName = 60
const shown = (text: string): string => displayTextWithin(text, longestName)

const mountPointsOf = ({ mountpoints }: BlockDevice): ReadonlyArray<string> =>
  mountpoints.flatMap((at) => at === null || at === "" ? [] : at)

const systemPlace = /^(?:\/|\/(?:boot|efi|usr|var|etc|home|root|srv|opt|tmp)(?:\/.*)?|\[SWAP\])$/
const isOurs = (at: string): boolean => at.startsWith(`${mountRoot}/`)

// blkid's names for what is a part of something larger (libblkid), and what that is.
const memberTypes: { readonly [fstype: string]: string } = {
  zfs_member: "a ZFS pool",
  LVM2_member: "an LVM volume group",
  LVM1_member: "an LVM volume group",
  linux_raid_member: "an md RAID",
  ceph_bluestore: "a Ceph OSD",
  crypto_LUKS: "an encrypted volume (LUKS)",
  BitLocker: "an encrypted volume (BitLocker)",
  bcache: "a bcache set",
  drbd: "a DRBD resource",
  DM_snapshot_cow: "a device-mapper snapshot"
}

// What a partition is for by its table, where nothing in it says so: ZFS on Linux, LVM, md (GPT and MBR).
const memberPartitions: { readonly [parttype: string]: string } = {
  "6a898cc3-1dd2-11b2-99a6-080020736631": "a ZFS pool",
  "e6d6d379-f507-44c2-a23c-238f2a3df928": "an LVM volume group",
  "a19d880f-05fc-4d3b-a006-743f0f84911e": "an md RAID",
  "0x8e": "an LVM volume group",
  "0xfd": "an md RAID"
}

// All of Ceph's partition types begin so.
const cephPartition = "4fbd7e29-"

const own = (table: { readonly [key: string]: string }, key: string): string | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

/** What the device is a part of, as far as it or what is made of it says. */
const memberOf = ({ fstype, parttype, type }: BlockDevice): string | undefined => {
  const table = parttype?.toLowerCase() ?? ""
  return own(memberTypes, fstype ?? "") ??
    (fstype !== null && fstype.endsWith("_member") ? `a set (${shown(fstype)})` : undefined) ??
    own(memberPartitions, table) ??
    (table.startsWith(cephPartition) ? "a Ceph OSD" : undefined) ??
    (type === "disk" || type === "part" ? undefined : `a device that is made of it (${shown(type)})`)
}

const no = (reason: DiskRefusal, why: string): DiskVerdict => ({ mountable: false, reason, why })

const first = <A, B>(items: ReadonlyArray<A>, of: (item: A) => B | undefined): B | undefined => {
  for (const item of items) {
    const found = of(item)
    if (found !== undefined) return found
  }
  return undefined
}

/** What stands against the whole disk: a person's mistake about one of its partitions must not reach the others. */
const againstDisk = (path: string, disk: ReadonlyArray<BlockDevice>): DiskVerdict | undefined => {
  const places = disk.flatMap(mountPointsOf)
  const system = places.find((at) => systemPlace.test(at))
  if (system !== undefined) return no("system", `${path} is on a disk of this system: ${shown(system)} is on it`)
  const elsewhere = places.find((at) => !isOurs(at))
  if (elsewhere !== undefined) {
    return no("mounted-elsewhere", `${path} is on a disk that is in use: ${shown(elsewhere)} is mounted from it`)
  }
  return first(disk, (one) => {
    const whole = memberOf(one)
    return whole === undefined
      ? undefined
      : no("member", `${path} is on a disk that belongs to ${whole}: ${shown(one.path)} is part of that`)
  })
}

const againstContent = (path: string, { fstype, ro, uuid }: BlockDevice): DiskVerdict => {
  if (fstype === null || fstype === "") {
    return no("no-file-system", `${path} has no file system; nothing is ever formatted from here: a person makes one`)
  }
  if (fstype === "swap") return no("swap", `${path} is swap space`)
  const type = own(mountableTypes, fstype)
  if (type === undefined) {
    const all = Object.keys(mountableTypes).join(", ")
    return no("unknown-file-system", `${path} has the file system ${shown(fstype)}; mounted are ${all}`)
  }
  if (!Schema.is(FilesystemUuid)(uuid)) {
    return no("no-uuid", `${path} has no UUID that it could be named by`)
  }
  if (ro) return no("read-only", `${path} is write-protected: look for a switch on it`)
  return { mountable: true, uuid, type }
}

/** Whether a device may be mounted, given all devices of the host. Pure, and total: whatever lsblk tells has a verdict. */
export const verdictOf = ({ device, disk }: PlacedDevice, all: ReadonlyArray<PlacedDevice>): DiskVerdict => {
  const path = shown(device.path)
  if (device.type !== "disk" && device.type !== "part") {
    return no("not-a-disk", `${path} is neither a disk nor a partition of one (${shown(device.type)})`)
  }
  const against = againstDisk(path, disk)
  if (against !== undefined) return against
  const at = mountPointsOf(device)[0]
  if (at !== undefined) return no("already", `${path} is mounted already, at ${shown(at)}: eject it there first`)
  if ((device.children ?? []).length > 0) return no("has-partitions", `${path} has partitions: name one of those`)
  const verdict = againstContent(path, device)
  if (!verdict.mountable) return verdict
  const same = new Set(all.filter((other) => other.device.uuid === device.uuid).map((other) => other.device.path))
  return same.size > 1
    ? no(
      "two-of-one-uuid",
      `${
        [...same].map(shown).join(" and ")
      } have one UUID (${verdict.uuid}), as a copied disk has: unplug one, or give it another UUID`
    )
    : verdict
}

/** A disk or partition as it is told to an operator. */
const told = (one: PlacedDevice, all: ReadonlyArray<PlacedDevice>): MountableDevice => {
  const { fstype, label, path, size, tran, uuid } = one.device
  // lsblk tells a serial number of the whole disk alone.
  const serial = one.device.serial ?? one.disk[0]?.serial ?? null
  const text = (of: string | null): string | null => of === null ? null : shown(of)
  const verdict = verdictOf(one, all)
  return {
    path: shown(path),
    uuid: text(uuid),
    fstype: text(fstype),
    label: text(label),
    size,
    tran: text(tran),
    serial: text(serial),
    mountpoint: text(mountPointsOf(one.device)[0] ?? null),
    refusal: verdict.mountable ? null : verdict.why
  }
}

// Of a line of answer; the rest of it is the frame around the list.
const listBytes = 7800

/** All disks and partitions with their verdicts, those that can be mounted or are by us first, as far as one line of answer holds them. */
export const listed = (
  roots: ReadonlyArray<BlockDevice>
): { readonly devices: ReadonlyArray<MountableDevice>; readonly omitted: number } => {
  const all = placed(roots)
  const disks = all.filter(({ device }) => device.type === "disk" || device.type === "part").map((one) =>
    told(one, all)
  )
  const isMountedHere = ({ mountpoint }: MountableDevice) => mountpoint !== null && isOurs(mountpoint)
  const ordered = [
    ...disks.filter(({ refusal }) => refusal === null),
    ...disks.filter((disk) => disk.refusal !== null && isMountedHere(disk)),
    ...disks.filter((disk) => disk.refusal !== null && !isMountedHere(disk))
  ]
  let room = listBytes
  const devices = ordered.filter((device) => {
    room -= new TextEncoder().encode(JSON.stringify(device)).length + 1
    return room >= 0
  })
  return { devices, omitted: ordered.length - devices.length }
}
