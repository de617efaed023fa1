import { parsePropertyString, propertyOf, type PropertyString } from "@felhom/domain/PropertyString"
import type { NetworkCards } from "@felhom/proxmox/GuestShape"
import { Either } from "effect"
import { isCard } from "../plan/Settings.ts"
import { sizeInBytes } from "../plan/VolumeSize.ts"
import { archivedLine, linesOf } from "./ArchiveText.ts"

/** What an archive of a container would bring along. */
export interface ArchivedContainer {
  /** Its network cards without their hardware addresses, which are another guest's. */
  readonly cards: NetworkCards
  /** Those addresses, in capitals. */
  readonly hwaddrs: ReadonlySet<string>
  /** Bytes of its root volume; null: it does not say. */
  readonly rootBytes: number | null
  /** Features that are switched on. */
  readonly features: ReadonlyArray<string>
  readonly protection: boolean
  /** Its guest's name; null: it says none. */
  readonly hostname: string | null
}

// What a restore brings along and cannot reach beyond the guest (platform-facts 5.1, 5.3). A key that is not here is refused.
const harmless = new Set([
  "arch",
  "cmode",
  "console",
  "cores",
  "cpulimit",
  "cpuunits",
  "debug",
  "description",
  "entrypoint",
  "env",
  "features",
  "hostname",
  "memory",
  "nameserver",
  "onboot",
  "ostype",
  "protection",
  "rootfs",
  "searchdomain",
  "startup",
  "swap",
  "tags",
  "timezone",
  "tty",
  "unprivileged"
])

const harmlessFeatures = new Set(["nesting", "keyctl", "fuse"])

/** Why a key must not come out of an archive; undefined when it may. */
const keyTrouble = (key: string, value: string): string | undefined => {
  if (key === "hookscript") return "it has a hook script, which would run as root on this host"
  if (/^dev\d+$/.test(key)) return `it has a device of its host (${key})`
  if (key.startsWith("lxc.")) return `it has a raw LXC key (${key})`
  if (/^mp\d+$/.test(key)) return `it has a volume or mount besides its root (${key})`
  if (key === "template") return value === "1" ? "it is a template's, which can never be started" : undefined
  if (key === "lock") return "it was taken of a locked guest"
  // Left behind by the restore itself (platform-facts 5.3).
  if (/^unused\d+$/.test(key) || key === "parent") return undefined
  return harmless.has(key) || isCard(key) ? undefined : `it has a key that this version does not know (${key})`
}

const isOn = (text: string): boolean => ["1", "on", "yes", "true"].includes(text.toLowerCase())

const featuresOf = (text: string): Either.Either<ReadonlyArray<string>, string> => {
  const { bare, entries } = parsePropertyString(text)
  const odd = bare ?? entries.map(([name]) => name).find((name) => !harmlessFeatures.has(name))
  return odd === undefined
    ? Either.right(entries.filter(([, value]) => isOn(value)).map(([name]) => name))
    : Either.left(`it has a feature that no new guest gets (${odd})`)
}

const addressing = new Set([undefined, "dhcp", "manual", "auto"])

const asText = ({ entries }: PropertyString): string => entries.map(([name, value]) => `${name}=${value}`).join(",")

/** An archived card, to be given to another guest. */
const cardOf = (key: string, text: string): Either.Either<string, string> => {
  const card = parsePropertyString(text)
  const fixed = ["ip", "ip6"].find((name) => !addressing.has(propertyOf(card, name)))
  return fixed === undefined
    ? Either.right(asText({ bare: undefined, entries: card.entries.filter(([name]) => name !== "hwaddr") }))
    : Either.left(
      `its card ${key} has a fixed address (${propertyOf(card, fixed)}), which another guest may have; wish for ${key}`
    )
}

/**
 * Whether a container may be made from an archive with this configuration, given as Proxmox gives it; left says why not. A restore
 * keeps keys that the agent's token could never set, hook scripts and devices among them (platform-facts 5.3, 11 item 3), so that
 * whoever can put a file on the backup storage could else run what they like as root. `wished` are cards that are given anew.
 */
export const inspectArchive = (
  text: string,
  wished: NetworkCards
): Either.Either<ArchivedContainer, string> =>
  Either.gen(function*() {
    const config = new Map<string, string>()
    for (const line of linesOf(text)) {
      const { key, value } = yield* archivedLine(line)
      const trouble = keyTrouble(key, value)
      if (trouble !== undefined) return yield* Either.left(trouble)
      config.set(key, value)
    }
    const root = config.get("rootfs")
    if (root === undefined) return yield* Either.left("it is no archive of a container")
    if (config.get("unprivileged") !== "1") {
      return yield* Either.left("it is a privileged container's, and only unprivileged ones are made")
    }
    const written = config.get("features")
    const features = written === undefined ? [] : yield* featuresOf(written)
    const cards = new Map<`net${number}`, string>()
    const hwaddrs = new Set<string>()
    for (const [key, card] of config) {
      if (!isCard(key)) continue
      const hwaddr = propertyOf(parsePropertyString(card), "hwaddr")
      if (hwaddr !== undefined) hwaddrs.add(hwaddr.toUpperCase())
      if (wished[key] === undefined) cards.set(key, yield* cardOf(key, card))
    }
    return {
      cards: Object.fromEntries(cards),
      hwaddrs,
      rootBytes: sizeInBytes(propertyOf(parsePropertyString(root), "size") ?? "") ?? null,
      features,
      protection: config.get("protection") === "1",
      hostname: config.get("hostname") ?? null
    }
  })
