import type { GuestConfig } from "@felhom/domain/GuestConfig"
import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { Either } from "effect"
import * as Form from "../plan/ConfigForm.ts"
import { rawText } from "../plan/Finding.ts"
import { isCard } from "../plan/Settings.ts"
import { sizeInBytes } from "../plan/VolumeSize.ts"
import { cardParts, reachesBeyond } from "./MachineInspection.ts"
import type { MachineOrder } from "./MakeOrder.ts"
import { settingTrouble } from "./Standing.ts"

const cardTrouble = (config: GuestConfig, { cards, strangers }: MachineOrder): string | undefined => {
  for (const [key, text] of Object.entries(cards)) {
    const asked = parsePropertyString(text)
    const there = cardParts(rawText(config[key]) ?? "")
    if (Either.isLeft(there) || there.right.model !== asked.bare) {
      return `its card ${key} is not as it was asked for (model)`
    }
    const { hwaddr, rest } = there.right
    const part = asked.entries.find(([name, value]) => propertyOf({ bare: undefined, entries: rest }, name) !== value)
    if (part !== undefined) return `its card ${key} is not as it was asked for (${part[0]})`
    if (hwaddr === undefined || strangers.has(hwaddr.toUpperCase())) {
      return `its card ${key} has the address of the machine that its image is of`
    }
  }
  const other = Object.keys(config).find((key) => isCard(key) && cards[key] === undefined)
  return other === undefined ? undefined : `it has a card ${other} that nobody asked for`
}

interface Drive {
  readonly key: string
  readonly source: string
  readonly bytes: number | undefined
}

/** Its drives, but for those that are empty or hold an image of a storage's. */
const drivesOf = (config: GuestConfig): ReadonlyArray<Drive> =>
  Object.entries(config).flatMap(([key, raw]): ReadonlyArray<Drive> => {
    if (!/^(?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+$/.test(key)) return []
    const drive = parsePropertyString(rawText(raw) ?? "")
    const source = drive.bare ?? propertyOf(drive, "file") ?? ""
    const isImage = propertyOf(drive, "media") === "cdrom" && (source === "none" || /^[^:/]+:iso\//.test(source))
    return isImage ? [] : [{ key, source, bytes: sizeInBytes(propertyOf(drive, "size") ?? "") }]
  })

const ownDrives = ({ vmid }: GuestRef, drives: ReadonlyArray<Drive>): string | undefined => {
  if (drives.length === 0) return "it has no disk"
  const own = new RegExp(`^[^:/]+:(?:.*/)?vm-${vmid}-[^/]+$`)
  const other = drives.find(({ source }) => !own.test(source))
  return other === undefined ? undefined : `its drive ${other.key} is none of its own (${other.source})`
}

const diskTrouble = (drives: ReadonlyArray<Drive>, { action, disks }: MachineOrder): string | undefined => {
  for (const [key, asked] of disks) {
    const disk = drives.find((one) => one.key === key)
    if (disk === undefined) return `its disk ${key} is missing`
    if (!disk.source.startsWith(`${action.storage}:`)) return `its disk ${key} is not on ${action.storage}`
    // Proxmox rounds to whole blocks of its storage.
    if (disk.bytes === undefined || disk.bytes + 1024 ** 2 < asked) return `its disk ${key} is smaller than its image's`
  }
  return undefined
}

const uuidOf = (config: GuestConfig): string | undefined =>
  propertyOf(parsePropertyString(rawText(config["smbios1"]) ?? ""), "uuid")

/**
 * Why a virtual machine that stands there is not what was asked for; undefined when it is. Without an order, whose wishes are not
 * known any more, only what must hold of every machine that is made. One whose restore was cut has no disk, and no lock that would
 * say so (qemu-server, restore_vma_archive).
 */
export const machineTrouble = (
  ref: GuestRef,
  config: GuestConfig,
  order: MachineOrder | undefined
): string | undefined => {
  const reaching = Object.entries(config).find(([key, value]) => reachesBeyond(key, rawText(value) ?? ""))
  if (reaching !== undefined) return `it has ${reaching[0]}, which reaches beyond it`
  if (Form.onOff(config["template"]) === "1") return "it is a template"
  const strange = Object.keys(config).find((key) => /^unused\d+$/.test(key))
  if (strange !== undefined) return `it has ${strange}, a volume that its number had from before`
  const drives = drivesOf(config)
  const foreign = ownDrives(ref, drives)
  if (foreign !== undefined || order === undefined) return foreign
  const unmet = settingTrouble(config, order.action.settings) ?? cardTrouble(config, order) ??
    diskTrouble(drives, order)
  if (unmet !== undefined) return unmet
  return order.smbiosUuid !== null && uuidOf(config)?.toLowerCase() === order.smbiosUuid.toLowerCase()
    ? "it has the SMBIOS uuid of the machine that its image is of"
    : undefined
}
