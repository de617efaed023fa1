import { Effect } from "effect"
import { driveOption } from "./DriveText.ts"
import type { Guest } from "./Guest.ts"
import { sourceOf } from "./LxcPermissions.ts"
import { newVolume, normaliseTags, sizeText } from "./LxcValues.ts"
import { freshHwaddr, type Machine, nowSeconds, randomUuid } from "./Machine.ts"
import { readProperties } from "./PropertyFormat.ts"
import { isDrive, machineCard, withModel } from "./QemuSchema.ts"
import { typeOf } from "./StorageState.ts"

/** A card as it is printed: its model with the address first, a fresh one if it has none or is to have another. */
export const printedCard = (machine: Machine, text: string, renew = false): Effect.Effect<string> =>
  Effect.map(freshHwaddr(machine), (fresh) => {
    const found = readProperties(withModel(text), machineCard, "model")
    if (typeof found === "string") return text
    const rest = Array.from(found)
      .filter(([name]) => name !== "model" && name !== "macaddr")
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
    const hwaddr = renew ? fresh : found.get("macaddr") ?? fresh
    return [[found.get("model") ?? "virtio", hwaddr], ...rest].map(([name, value]) => `${name}=${value}`).join(",")
  })

/** A drive as it is printed: another volume in it, all else as it is. */
export const driveOn = (text: string, volid: string, bytes: number | undefined): string => {
  const options = text.split(",").slice(1).filter((part) => !/^(?:size|format)=/.test(part))
  return [volid, ...(bytes === undefined ? options : [...options, `size=${sizeText(bytes)}`]).toSorted()].join(",")
}

/** The `smbios1` of a machine with an identity that nobody has. */
export const withFreshUuid = (smbios1: string | undefined): Effect.Effect<string> =>
  Effect.map(
    randomUuid,
    (uuid) =>
      [...(smbios1 ?? "").split(",").filter((part) => part !== "" && !part.startsWith("uuid=")), `uuid=${uuid}`]
        .toSorted().join(",")
  )

/** A disk that is to be made for a machine. */
export interface NewDisk {
  readonly storage: string
  readonly bytes: number
  /** As in the archive or the source; another one is used where the storage has no such. */
  readonly format?: string
  readonly cloudInit?: boolean
  /** A volume that it stands on: a linked clone. */
  readonly base?: string
}

const ofBlocks = new Set(["zfspool", "lvm", "lvmthin", "rbd"])

/** The volid that a machine's next disk on a storage gets. */
const freeDiskName = (
  machine: Machine,
  vmid: number,
  { base, cloudInit = false, format, storage }: NewDisk
): string => {
  const state = machine.storages.get(storage)
  const type = state === undefined ? "" : typeOf(state)
  const onBlocks = ofBlocks.has(type)
  const suffix = onBlocks ? "" : `.${format ?? "raw"}`
  // LVM and btrfs keep to themselves what a linked clone stands on; elsewhere its name says it.
  const below = base === undefined || ["lvm", "lvmthin", "btrfs"].includes(type)
    ? ""
    : `${base.slice(base.indexOf(":") + 1)}/`
  const start = `${storage}:${below}${onBlocks ? "" : `${vmid}/`}`
  if (cloudInit) return `${start}vm-${vmid}-cloudinit${suffix}`
  const taken = new Set(
    (machine.content.get(storage) ?? []).flatMap(({ volid }) =>
      /(?:vm|base)-(\d+)-disk-(\d+)(?:\.\w+)?$/.exec(volid)?.slice(1).join() ?? []
    )
  )
  let number = 0
  while (taken.has(`${vmid},${number}`)) number++
  return `${start}vm-${vmid}-disk-${number}${suffix}`
}

/** Makes a disk under the machine's next free name; gives its volid. */
export const allocateDisk = (machine: Machine, vmid: number, disk: NewDisk): Effect.Effect<string> =>
  Effect.map(nowSeconds, (ctime) => {
    const volid = freeDiskName(machine, vmid, disk)
    machine.content.set(disk.storage, [...machine.content.get(disk.storage) ?? [], {
      volid,
      content: "images",
      format: /\.([a-z0-9]+)$/.exec(volid)?.[1] ?? "raw",
      size: disk.bytes,
      ctime,
      vmid,
      subtype: undefined,
      notes: undefined,
      protected: false
    }])
    return volid
  })

const printedDrive = (machine: Machine, guest: Guest, text: string): Effect.Effect<string> =>
  Effect.gen(function*() {
    const made = newVolume(sourceOf(text))
    if (made === undefined) return text
    const format = driveOption(text, "format")
    const volid = yield* allocateDisk(machine, guest.vmid, { ...made, ...(format === undefined ? {} : { format }) })
    return driveOn(text, volid, made.bytes)
  })

/** A value as it will stand in the machine's file; a drive's new volume is made. */
export const storedValue = (machine: Machine, guest: Guest, key: string, value: string): Effect.Effect<string> =>
  key === "tags"
    ? Effect.succeed(normaliseTags(value))
    : /^net\d+$/.test(key)
    ? printedCard(machine, value)
    : isDrive(key)
    ? printedDrive(machine, guest, value)
    : Effect.succeed(value)
