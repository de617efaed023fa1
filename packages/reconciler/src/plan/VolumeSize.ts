import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { type GuestType, StorageId } from "@felhom/domain/ProxmoxId"
import { Option, Schema } from "effect"
import { type Finding, impossible, rawText, type Seen } from "./Finding.ts"

export const gib = 1024 ** 3

const units: { readonly [suffix: string]: number } = { "": 1, K: 1024, M: 1024 ** 2, G: gib, T: 1024 * gib }

/** Bytes of Proxmox's `8G`, `512M` or `4194304`; undefined where it is none. */
export const sizeInBytes = (text: string): number | undefined => {
  const [, count, suffix] = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text) ?? []
  return count === undefined ? undefined : Math.round(Number(count) * (units[suffix ?? ""] ?? 1))
}

const keysOf: { readonly [type in GuestType]: RegExp } = {
  lxc: /^(?:rootfs|mp\d+)$/,
  qemu: /^(?:ide|sata|scsi|virtio)\d+$/
}

const storageName = Schema.decodeUnknownOption(StorageId)

/** One volume against the size that is wished for it. */
export const volumeFindings = ({ guest }: Seen, volume: string, wishedGib: number): ReadonlyArray<Finding> => {
  const wished = `${wishedGib} GiB`
  const not = (why: string, old?: string) => [
    impossible("volumes", volume, `${volume}: ${why}`, { old: old ?? null, new: wished })
  ]
  const raw = keysOf[guest.ref.type].test(volume) ? rawText(guest.merged[volume]) : null
  if (raw === null) return not("it has no such volume, and none is made this way")
  const property = parsePropertyString(raw)
  const volid = property.bare ?? propertyOf(property, "volume") ?? propertyOf(property, "file") ?? ""
  const storage = storageName(volid.slice(0, Math.max(0, volid.indexOf(":"))))
  if (Option.isNone(storage) || propertyOf(property, "media") === "cdrom") {
    return not("it is no volume on a storage, so Proxmox VE does not grow it")
  }
  const now = sizeInBytes(propertyOf(property, "size") ?? "")
  if (now === undefined) return not("Proxmox VE does not say how large it is (a folder has no size of its own)")
  const bytes = wishedGib * gib
  if (bytes === now) return []
  if (bytes < now) return not("it can only grow; no host makes a volume smaller", propertyOf(property, "size"))
  if (guest.template) return not("it belongs to a template, whose volumes stay as they are")
  return [{
    found: "grow",
    drift: "volumes",
    volume,
    storage: storage.value,
    bytes,
    by: bytes - now,
    old: propertyOf(property, "size") ?? null,
    new: wished,
    reason: `${volume}: it is smaller than wished`
  }]
}
