import { type GuestConfig, guestIdentity } from "@felhom/domain/GuestConfig"
import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"
import * as Form from "../plan/ConfigForm.ts"
import { rawText } from "../plan/Finding.ts"
import type { GuestMaking } from "../plan/PlanStep.ts"
import { isCard } from "../plan/Settings.ts"
import { sizeInBytes } from "../plan/VolumeSize.ts"
import type { ContainerOrder } from "./MakeOrder.ts"

type SettingKey = GuestMaking["settings"][number][0]

const forms: { readonly [key in SettingKey]?: Form.Form } = {
  // A machine's loses its trailing white space (platform-facts 5.10).
  description: (raw) => Form.description(raw).trimEnd(),
  tags: Form.tags,
  onboot: Form.onOff,
  cores: Form.numeric(""),
  cpulimit: Form.numeric("0"),
  cpuunits: Form.numeric("100"),
  memory: Form.memory,
  swap: Form.numeric("512"),
  nameserver: Form.list
}

/** Put on last, once it is proven. */
const later: ReadonlySet<SettingKey> = new Set(["protection"])

/** Which setting is not what was asked for; undefined where all are. */
export const settingTrouble = (config: GuestConfig, settings: GuestMaking["settings"]): string | undefined => {
  const unmet = settings.find(([key, text]) => {
    const form = forms[key] ?? Form.text
    return !later.has(key) && form(config[key]) !== form(text)
  })
  return unmet === undefined ? undefined : `${unmet[0]} is not as it was asked for`
}

const cardTrouble = (config: GuestConfig, { cards, strangers }: ContainerOrder): string | undefined => {
  for (const [key, text] of Object.entries(cards)) {
    const there = parsePropertyString(rawText(config[key]) ?? "")
    const part = parsePropertyString(text).entries.find(([name, value]) =>
      name !== "type" && propertyOf(there, name) !== value
    )
    if (part !== undefined) return `its card ${key} is not as it was asked for (${part[0]})`
    const hwaddr = propertyOf(there, "hwaddr")
    if (hwaddr === undefined || strangers.has(hwaddr.toUpperCase())) {
      return `its card ${key} has the address of the guest that its image is of`
    }
  }
  const other = Object.keys(config).find((key) => isCard(key) && cards[key] === undefined)
  return other === undefined ? undefined : `it has a card ${other} that nobody asked for`
}

const rootTrouble = (config: GuestConfig, { action, bytes: asked }: ContainerOrder): string | undefined => {
  const root = parsePropertyString(rawText(config["rootfs"]) ?? "")
  if (!(root.bare ?? "").startsWith(`${action.storage}:`)) return `its root volume is not on ${action.storage}`
  const bytes = sizeInBytes(propertyOf(root, "size") ?? "")
  // Proxmox rounds to whole blocks of its storage.
  return bytes === undefined || bytes + 1024 ** 2 < asked ? "its root volume is smaller than asked for" : undefined
}

const featureTrouble = (config: GuestConfig, { features }: ContainerOrder): string | undefined => {
  const there = parsePropertyString(rawText(config["features"]) ?? "")
  const missing = features.find((name) => propertyOf(there, name) !== "1")
  return missing === undefined ? undefined : `the feature ${missing} of its image is missing`
}

// What would act beyond the guest as soon as it starts, wherever it came from between the look at the archive and now.
const beyond = /^(?:hookscript|dev\d+|lxc|lxc\..+|mp\d+|args|hostpci\d+)$/

/**
 * Why a container that stands there is not what was asked for; undefined when it is. Without an order, whose wishes are not known any more,
 * only what must hold of every guest that is made.
 */
export const standingTrouble = (config: GuestConfig, order: ContainerOrder | undefined): string | undefined => {
  if (Form.onOff(config["unprivileged"]) !== "1") return "it is not unprivileged"
  const reaching = Object.keys(config).find((key) => beyond.test(key))
  if (reaching !== undefined) return `it has ${reaching}, which reaches beyond it`
  if (Form.onOff(config["template"]) === "1") return "it is a template"
  if (rawText(config["rootfs"]) === null) return "it has no root volume"
  return order === undefined
    ? undefined
    : settingTrouble(config, order.action.settings) ?? cardTrouble(config, order) ?? rootTrouble(config, order) ??
      featureTrouble(config, order)
}

// Below this a directory's file system is full: its own reserve lets no file through (platform-facts 11, item 6).
const fullBelow = 4 * 1024 ** 2

/** Storages on which files can vanish behind a writer's back: their images are sparse files. */
const ofSparseFiles: ReadonlySet<string> = new Set(["dir", "nfs", "cifs", "glusterfs", "btrfs"])

/**
 * Why its files may not have reached the disk; undefined where nothing says so. A container's restore onto a full directory storage
 * ends `OK` with an empty guest (platform-facts 11, item 6); what a machine's has written is not started on a full one, either.
 */
export const emptyTrouble = (
  ref: GuestRef,
  config: GuestConfig
): Effect.Effect<string | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const volumes = ref.type === "lxc"
      ? [parsePropertyString(rawText(config["rootfs"]) ?? "").bare ?? ""]
      : guestIdentity(ref.type, config).volumes
    const { rows } = yield* client.storages
    const places = new Map(volumes.map((volume) => [rows.find((one) => volume.startsWith(`${one.storage}:`)), volume]))
    if (places.has(undefined)) return "its storage is not there any more"
    for (const storage of places.keys()) {
      if (storage === undefined) continue
      if (ofSparseFiles.has(storage.type) && (storage.avail ?? 0) < fullBelow) {
        return `${storage.storage} is full, so that what was written may be lost although its task ended well`
      }
      const content = yield* client.storageContent(storage.storage, { vmid: ref.vmid })
      const empty = content.rows.find(({ size, volid }) => size === 0 && volumes.includes(volid))
      // Rows that the token may not see are left out: what is not shown says nothing.
      if (empty !== undefined) {
        return ref.type === "lxc" ? "its root volume is empty" : `its disk ${empty.volid} is empty`
      }
    }
    return undefined
  })
