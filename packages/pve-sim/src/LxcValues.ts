import { parsePropertyString } from "@felhom/domain/PropertyString"
import { Effect } from "effect"
import { sourceOf } from "./LxcPermissions.ts"
import { cardProperties, mountProperties } from "./LxcSchema.ts"
import { freshHwaddr, type Machine, nowSeconds } from "./Machine.ts"
import { splitList } from "./ParameterSchema.ts"
import { readProperties } from "./PropertyFormat.ts"
import { holds, typeOf } from "./StorageState.ts"

/** Tags as Proxmox stores them: lower case, each once, sorted, joined by `;` (platform-facts 1.10). */
export const normaliseTags = (text: string): string =>
  Array.from(new Set(splitList(text.toLowerCase()))).sort().join(";")

/** A property string as Proxmox prints it: the part without a key, then what must be there, then the rest by name. */
const printed = (
  found: ReadonlyMap<string, string>,
  first: string | undefined,
  required: ReadonlyArray<string>
): string =>
  [
    ...first === undefined || !found.has(first) ? [] : [found.get(first) ?? ""],
    ...required.flatMap((name) => found.has(name) ? [`${name}=${found.get(name)}`] : []),
    ...Array.from(found)
      .filter(([name]) => name !== first && !required.includes(name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
  ].join(",")

// A card without an address gets a fresh one (platform-facts 11, item 2).
export const normaliseNet = (machine: Machine, text: string): Effect.Effect<string> =>
  Effect.map(freshHwaddr(machine), (fresh) => {
    const found = readProperties(text, cardProperties)
    const given = new Map(typeof found === "string" ? [] : found)
    if (!given.has("hwaddr")) given.set("hwaddr", fresh)
    return printed(given.set("type", "veth"), undefined, ["name"])
  })

/** The card with another address, all else as it is. */
export const withFreshHwaddr = (machine: Machine, text: string): Effect.Effect<string> =>
  normaliseNet(
    machine,
    parsePropertyString(text).entries.filter(([name]) => name !== "hwaddr").map(([name, value]) => `${name}=${value}`)
      .join(",")
  )

// What has a size is an image on storages of files, and a file system of its own on ZFS.
const namesOn = (type: string, vmid: number, bytes: number): readonly [start: string, end: string] => {
  const isSubvolume = type === "zfspool" || (bytes === 0 && !type.startsWith("lvm"))
  const start = `${isSubvolume ? "subvol" : "vm"}-${vmid}-disk-`
  return ["zfspool", "lvm", "lvmthin", "rbd"].includes(type)
    ? [start, ""]
    : [`${vmid}/${start}`, isSubvolume ? ".subvol" : ".raw"]
}

/** The volid that a guest's next volume on a storage gets. */
export const freeVolumeName = (machine: Machine, vmid: number, storage: string, bytes: number): string => {
  const taken = new Set(
    (machine.content.get(storage) ?? []).flatMap(({ volid }) =>
      /-(\d+)-disk-(\d+)(?:\.|$)/.exec(volid)?.slice(1).join() ?? []
    )
  )
  const state = machine.storages.get(storage)
  const [start, end] = namesOn(state === undefined ? "" : typeOf(state), vmid, bytes)
  let number = 0
  while (taken.has(`${vmid},${number}`)) number++
  return `${storage}:${start}${number}${end}`
}

/** Makes an empty image under the guest's next free name; gives its volid. */
export const allocateVolume = (
  machine: Machine,
  vmid: number,
  storage: string,
  bytes: number,
  nowSeconds: number
): string => {
  const volid = freeVolumeName(machine, vmid, storage, bytes)
  machine.content.set(storage, [...machine.content.get(storage) ?? [], {
    volid,
    content: "rootdir",
    format: volid.includes("subvol-") ? "subvol" : "raw",
    size: bytes,
    ctime: nowSeconds,
    vmid,
    subtype: undefined,
    notes: undefined,
    protected: false
  }])
  return volid
}

/** Bytes as Proxmox writes them in a size: the largest unit that comes out even. */
export const sizeText = (bytes: number): string => {
  const [kibi, mebi, gibi, tebi] = [1, 2, 3, 4].map((power) => bytes / 1024 ** power)
  // No size at all is `0T`: a subvolume without a limit has it.
  return Number.isInteger(tebi)
    ? `${tebi}T`
    : Number.isInteger(gibi)
    ? `${gibi}G`
    : Number.isInteger(mebi)
    ? `${mebi}M`
    : Number.isInteger(kibi)
    ? `${kibi}K`
    : String(bytes)
}

/** What stands for a new volume: `STORAGE:8` is one of 8 GiB (platform-facts 5.15). */
export const newVolume = (source: string): { readonly storage: string; readonly bytes: number } | undefined => {
  const [, storage, gibibytes] = /^([^:\s]+):(\d+(?:\.\d+)?)$/.exec(source) ?? []
  return storage === undefined || gibibytes === undefined
    ? undefined
    : { storage, bytes: Math.floor(Number(gibibytes) * 1024) * 1024 ** 2 }
}

/** Why a mount's storage can't take it, in Proxmox's words; undefined when it can, or when it is none of a storage's. */
export const mountTrouble = (machine: Machine, text: string): string | undefined => {
  const source = sourceOf(text)
  if (source.startsWith("/")) return undefined
  const storage = source.slice(0, Math.max(0, source.indexOf(":")))
  const state = machine.storages.get(storage)
  if (state === undefined) return `storage '${storage}' does not exist`
  return holds(state, "rootdir") ? undefined : `storage '${storage}' does not allow content type 'rootdir' (Container)`
}

/** A volume's mount point as it stands in the file: the volume, where it is mounted, and the rest by name. */
export const mountOf = (volid: string, options: Iterable<readonly [string, string]>, bytes: number): string =>
  printed(new Map([...options, ["volume", volid], ["size", sizeText(bytes)]]), "volume", ["mp"])

/** A mount point as it stands in the file once it is applied: a new volume is made, one that is there is looked at. */
export const appliedMount = (machine: Machine, vmid: number, text: string): Effect.Effect<string> =>
  Effect.gen(function*() {
    const found = readProperties(text, mountProperties, "volume")
    if (typeof found === "string") return text
    const source = found.get("volume") ?? ""
    const made = newVolume(source)
    const known = (machine.content.get(source.slice(0, Math.max(0, source.indexOf(":")))) ?? [])
      .find(({ volid }) => volid === source)
    const volume = made === undefined
      ? source
      : allocateVolume(machine, vmid, made.storage, made.bytes, yield* nowSeconds)
    const bytes = made?.bytes ?? known?.size
    const given = new Map(found).set("volume", volume)
    if (!source.startsWith("/")) {
      if (bytes === undefined) given.delete("size")
      else given.set("size", sizeText(bytes))
    }
    return printed(given, "volume", ["mp"])
  })

/** The value as it will stand in the config file; mounts are another matter. */
export const normaliseValue = (machine: Machine, key: string, value: string): Effect.Effect<string> => {
  if (key === "tags") return Effect.succeed(normaliseTags(value))
  if (key === "nameserver" || key === "searchdomain") return Effect.succeed(splitList(value).join(" "))
  if (key === "cpuunits") return Effect.succeed(String(Math.min(10_000, Number(value))))
  return /^net\d+$/.test(key) ? normaliseNet(machine, value) : Effect.succeed(value)
}
