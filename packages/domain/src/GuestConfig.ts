import { Effect, Schema } from "effect"
import { Crypto } from "./port/Crypto.ts"
import { parsePropertyString, propertyOf } from "./PropertyString.ts"
import type { GuestType } from "./ProxmoxId.ts"
import type { Sha256Hex } from "./Sha256.ts"

/** A guest's configuration as `GET …/config` gives it: an open record, since every release adds keys (platform-facts 5.1). */
export type GuestConfig = { readonly [key: string]: unknown }

/**
 * Who a guest is, whatever its vmid: two guests that hold the same number in turn differ here, and one guest restored to
 * another number keeps none of it by accident. Built from the network addresses and the volumes it holds; for QEMU also from
 * the SMBIOS uuid. `key` is what the agent recorded for a guest that it made itself.
 */
export const GuestIdentity = Schema.Struct({
  hwaddrs: Schema.Array(Schema.String),
  volumes: Schema.Array(Schema.String),
  smbiosUuid: Schema.NullOr(Schema.String),
  key: Schema.NullOr(Schema.String)
})
export type GuestIdentity = typeof GuestIdentity.Type

const netKey = /^net\d+$/
const volumeKey = { lxc: /^(?:rootfs|mp\d+)$/, qemu: /^(?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+$/ } as const
const macAddress = /^[0-9A-F]{2}(?::[0-9A-F]{2}){5}$/

const hardwareAddresses = (config: GuestConfig): ReadonlyArray<string> =>
  stringEntries(config, netKey).flatMap(([, text]) =>
    // LXC writes `hwaddr=MAC`, QEMU writes `<model>=MAC`.
    parsePropertyString(text).entries.map(([, value]) => value.toUpperCase()).filter((value) => macAddress.test(value))
  ).sort()

const volumes = (type: GuestType, config: GuestConfig): ReadonlyArray<string> =>
  stringEntries(config, volumeKey[type]).flatMap(([, text]) => {
    const property = parsePropertyString(text)
    const source = property.bare ?? propertyOf(property, "volume") ?? propertyOf(property, "file")
    const isVolume = source !== undefined && source.includes(":") && !source.startsWith("/")
    return isVolume && propertyOf(property, "media") !== "cdrom" ? [source] : []
  }).sort()

const stringEntries = (config: GuestConfig, key: RegExp): ReadonlyArray<readonly [string, string]> =>
  Object.entries(config).flatMap(([name, value]) =>
    key.test(name) && typeof value === "string" ? [[name, value] as const] : []
  )

/** The identity that a configuration shows. Detached (`unusedN`), bind-mounted and cdrom volumes are no part of it. */
export const guestIdentity = (type: GuestType, config: GuestConfig): GuestIdentity => {
  const smbios = config["smbios1"]
  return {
    hwaddrs: hardwareAddresses(config),
    volumes: volumes(type, config),
    smbiosUuid: type === "qemu" && typeof smbios === "string"
      ? propertyOf(parsePropertyString(smbios), "uuid") ?? null
      : null,
    key: null
  }
}

/** Proxmox gives every line of a description a newline back, so trailing ones say nothing (platform-facts 5.10). */
export const trimDescription = (text: string): string => text.replace(/\n+$/, "")

const passing = new Set(["digest", "lock", "parent", "snapshots", "pending", "snaptime", "snapstate"])

/**
 * A SHA-256 over the configuration in a fixed order, without what comes and goes by itself: the lock, snapshots, pending
 * changes, the digest and a description's trailing newlines. Proxmox's own digest changes with every lock (platform-facts
 * 5.9), so it can't say whether a guest is still the one that was looked at; this can.
 */
export const configHash = (config: GuestConfig): Effect.Effect<Sha256Hex, never, Crypto> =>
  Effect.flatMap(Crypto, (crypto) => {
    const kept = Object.entries(config)
      .filter(([key]) => !passing.has(key))
      .map(([key, value]) =>
        // Numbers and numeric strings both occur for one key, by endpoint and guest type (platform-facts 7.3).
        [key, key === "description" && typeof value === "string" ? trimDescription(value) : wireText(value)] as const
      )
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return crypto.sha256(JSON.stringify(kept))
  })

const wireText = (value: unknown): unknown =>
  typeof value === "number" ? String(value) : typeof value === "boolean" ? (value ? "1" : "0") : value
