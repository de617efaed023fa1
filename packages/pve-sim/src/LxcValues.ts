import { parsePropertyString } from "@felhom/domain/PropertyString"
import { Effect } from "effect"
import { type ApiFailure, died } from "./ApiFailure.ts"
import type { Guest } from "./Guest.ts"
import { sourceOf } from "./LxcPermissions.ts"
import { freshHwaddr, type Machine, nowSeconds } from "./Machine.ts"
import { splitList } from "./ParameterSchema.ts"

/** Tags as Proxmox stores them: lower case, each once, sorted, joined by `;` (platform-facts 1.10). */
export const normaliseTags = (text: string): string =>
  Array.from(new Set(splitList(text.toLowerCase()))).sort().join(";")

// Name and bridge first, the rest by name; a card without an address gets a fresh one (platform-facts 11, item 2).
export const normaliseNet = (machine: Machine, text: string): Effect.Effect<string> =>
  Effect.map(freshHwaddr(machine), (fresh) => {
    const given = new Map(parsePropertyString(text).entries)
    given.set("hwaddr", (given.get("hwaddr") ?? fresh).toUpperCase())
    given.set("type", "veth")
    const order = (name: string): string => name === "name" ? "0" : name === "bridge" ? "1" : `2${name}`
    return Array.from(given)
      .sort(([a], [b]) => (order(a) < order(b) ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join(",")
  })

/** The card with another address, all else as it is. */
export const withFreshHwaddr = (machine: Machine, text: string): Effect.Effect<string> =>
  normaliseNet(
    machine,
    parsePropertyString(text).entries.filter(([name]) => name !== "hwaddr").map(([name, value]) => `${name}=${value}`)
      .join(",")
  )

const freeVolumeName = (machine: Machine, vmid: number, storage: string): string => {
  const taken = new Set((machine.content.get(storage) ?? []).map((volume) => volume.volid))
  let number = 0
  const name = (): string => `${storage}:${vmid}/vm-${vmid}-disk-${number}.raw`
  while (taken.has(name())) number++
  return name()
}

/** Makes an empty image under the guest's next free name; gives its volid. */
export const allocateVolume = (
  machine: Machine,
  vmid: number,
  storage: string,
  bytes: number,
  nowSeconds: number
): string => {
  const volid = freeVolumeName(machine, vmid, storage)
  machine.content.set(storage, [...machine.content.get(storage) ?? [], {
    volid,
    content: "rootdir",
    format: "raw",
    size: bytes,
    ctime: nowSeconds,
    vmid,
    subtype: undefined,
    notes: undefined,
    protected: false
  }])
  return volid
}

// `STORAGE:8` allocates 8 GiB (platform-facts 5.15); anything else names a volume that must be there.
const normaliseVolume = (machine: Machine, guest: Guest, text: string): Effect.Effect<string, ApiFailure> =>
  Effect.gen(function*() {
    const source = sourceOf(text)
    const [, storage, gibibytes] = /^([^:]+):(\d+(?:\.\d+)?)$/.exec(source) ?? []
    if (storage === undefined || gibibytes === undefined) {
      const named = source.slice(0, source.indexOf(":"))
      const known = machine.content.get(named)
      if (known === undefined) return yield* died(`storage '${named}' does not exist`)
      if (!known.some((volume) => volume.volid === source)) return yield* died(`volume '${source}' does not exist`)
      return text
    }
    if (!machine.content.has(storage)) return yield* died(`storage '${storage}' does not exist`)
    const bytes = Math.round(Number(gibibytes) * 1024 ** 3)
    const volid = allocateVolume(machine, guest.vmid, storage, bytes, yield* nowSeconds)
    const kept = parsePropertyString(text).entries
      .filter(([name]) => name !== "size" && name !== "volume")
      .map(([name, value]) => `${name}=${value}`)
    return [volid, ...kept, `size=${gibibytes}G`].join(",")
  })

/** The value as it will stand in the config file. */
export const normaliseValue = (
  machine: Machine,
  guest: Guest,
  key: string,
  value: string
): Effect.Effect<string, ApiFailure> => {
  if (key === "tags") return Effect.succeed(normaliseTags(value))
  if (/^net\d+$/.test(key)) return normaliseNet(machine, value)
  if (/^(?:rootfs|mp\d+)$/.test(key)) return normaliseVolume(machine, guest, value)
  return Effect.succeed(value)
}
