import { parsePropertyString, propertyOf, type PropertyString } from "@felhom/domain/PropertyString"
import type { NetworkCards } from "@felhom/proxmox/GuestShape"
import { Either } from "effect"
import { isCard } from "../plan/Settings.ts"
import { sizeInBytes } from "../plan/VolumeSize.ts"
import { archivedLine, linesOf } from "./ArchiveText.ts"

/** What an archive of a virtual machine would bring along. */
export interface ArchivedMachine {
  /** All cards that the new one is to have, without hardware addresses: `virtio,bridge=vmbr0`. */
  readonly cards: NetworkCards
  /** The addresses of the archive's machine, in capitals. */
  readonly hwaddrs: ReadonlySet<string>
  /** The SMBIOS uuid of the archive's machine; null: it has none. */
  readonly smbiosUuid: string | null
  /** Bytes of each disk, by its key. */
  readonly disks: ReadonlyMap<string, number>
  readonly protection: boolean
}

// What a restore brings along and cannot reach beyond the machine. A key that is not here is refused. What each means: qemu-server's
// schema of a configuration; what a token may set: platform-facts 1.3.
const harmless: ReadonlySet<string> = new Set([
  "acpi",
  "agent",
  "allow-ksm",
  "arch",
  "autostart",
  "balloon",
  "bios",
  "boot",
  "bootdisk",
  "cipassword",
  "citype",
  "ciupgrade",
  "ciuser",
  "cores",
  "cpu",
  "cpulimit",
  "cpuunits",
  "description",
  "freeze",
  "hotplug",
  "keyboard",
  "kvm",
  "localtime",
  "machine",
  "memory",
  "meta",
  "migrate_downtime",
  "migrate_speed",
  "name",
  "nameserver",
  "numa",
  "onboot",
  "ostype",
  "protection",
  "reboot",
  "scsihw",
  "searchdomain",
  "shares",
  "smbios1",
  "sockets",
  "sshkeys",
  "startdate",
  "startup",
  "tablet",
  "tags",
  "tdf",
  "vcpus",
  "vga",
  "vmgenid",
  "vmstatestorage",
  "watchdog"
])

/** What only root can give a machine, and a restore keeps all the same. */
const rootsOwn: ReadonlySet<string> = new Set([
  "affinity",
  "args",
  "hookscript",
  "hugepages",
  "ivshmem",
  "keephugepages"
])

const isDrive = (key: string): boolean => /^(?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+$/.test(key)

const addressing: ReadonlySet<string | undefined> = new Set([undefined, "dhcp", "auto"])

const isDevice = (key: string): boolean => /^(?:hostpci|usb|serial|parallel|virtiofs|rng)\d+$/.test(key)

/** Some devices are nothing but a channel of the machine's own. */
const isOwnChannel = (key: string, value: string): boolean => {
  const property = parsePropertyString(value)
  const said = property.bare ?? propertyOf(property, "host") ?? ""
  return (/^serial\d+$/.test(key) && value === "socket") ||
    (/^usb\d+$/.test(key) && said.toLowerCase() === "spice") ||
    (key === "rng0" && /^(?:source=)?\/dev\/u?random(?:,|$)/.test(value))
}

/** What would act beyond a machine as soon as it starts. */
export const reachesBeyond = (key: string, value: string): boolean =>
  rootsOwn.has(key) || key === "cicustom" || (isDevice(key) && !isOwnChannel(key, value))

/** Why a key must not come out of an archive; undefined when it may. */
const keyTrouble = (key: string, value: string): string | undefined => {
  if (key === "hookscript") return "it has a hook script, which would run as root on this host"
  if (key === "args") return "it has arguments for qemu itself, which reach beyond it (args)"
  if (key === "cicustom") return "it has cloud-init files of its host (cicustom)"
  if (rootsOwn.has(key)) return `it has a setting that only root can make (${key})`
  if (isDevice(key)) return isOwnChannel(key, value) ? undefined : `it has a device of its host (${key})`
  if (key === "template") return value === "1" ? "it is a template's, which can never be started" : undefined
  if (key === "lock") return "it was taken of a locked guest"
  if (key === "rootfs" || key === "unprivileged") return "it is no archive of a virtual machine"
  // Left behind by the restore itself (qemu-server, restore_update_config_line).
  if (/^unused\d+$/.test(key) || key === "parent") return undefined
  if (/^ipconfig\d+$/.test(key)) {
    const { entries } = parsePropertyString(value)
    const fixed = entries.find(([name, text]) => (name === "ip" || name === "ip6") && !addressing.has(text))
    return fixed === undefined
      ? undefined
      : `its cloud-init gives it a fixed address (${fixed[1]}), which another guest may have`
  }
  return harmless.has(key) || isCard(key) || isDrive(key) || /^(?:numa|audio)\d+$/.test(key)
    ? undefined
    : `it has a key that this version does not know (${key})`
}

const hintForm = /^#qmdump#map:(\S+):(\S+):(\S*):(\S*):$/

/** The disks whose data are in the archive: only they are made anew, and any other line stays as it is (qemu-server). */
const disksWithData = (text: string): ReadonlySet<string> =>
  new Set(text.split("\n").flatMap((line) => hintForm.exec(line.trimEnd())?.[1] ?? []))

const isCloudInit = (source: string): boolean => /^[^:/]+:(?:\d+\/)?vm-\d+-cloudinit(?:\.(?:qcow2|raw))?$/.test(source)

/** The bytes of a disk; null for a drive that is none: empty, with an image of a storage's, or cloud-init's, which is made anew. */
const diskOf = (key: string, text: string, held: ReadonlySet<string>): Either.Either<number | null, string> => {
  const property = parsePropertyString(text)
  const source = property.bare ?? propertyOf(property, "file") ?? ""
  if (isCloudInit(source)) return Either.right(null)
  if (propertyOf(property, "media") === "cdrom") {
    return source === "none" || /^[^:/]+:iso\/[^/]+$/.test(source)
      ? Either.right(null)
      : Either.left(`its drive ${key} is one of its host (${source})`)
  }
  if (["0", "no", "off"].includes(propertyOf(property, "backup") ?? "")) {
    return Either.left(`its disk ${key} was left out of the archive, so that a machine made from it would lack it`)
  }
  if (!held.has(key)) {
    return Either.left(`the data of its drive ${key} are not in it, so that it would be another guest's or the host's`)
  }
  const bytes = sizeInBytes(propertyOf(property, "size") ?? "")
  return bytes === undefined ? Either.left(`it does not say how large its disk ${key} is`) : Either.right(bytes)
}

const hardwareAddress = /^[0-9A-F]{2}(?::[0-9A-F]{2}){5}$/i

/** A machine's card taken apart: Proxmox writes `virtio=ADDRESS,bridge=vmbr0`, and reads `model=virtio,macaddr=ADDRESS` as well. */
export const cardParts = (text: string): Either.Either<
  { readonly model: string; readonly hwaddr: string | undefined; readonly rest: PropertyString["entries"] },
  string
> => {
  const card = parsePropertyString(text)
  const written = card.entries.find(([name, value]) => name !== "macaddr" && hardwareAddress.test(value))
  const model = written?.[0] ?? propertyOf(card, "model") ?? card.bare
  return model === undefined || model === ""
    ? Either.left("a card of it can't be read")
    : Either.right({
      model,
      hwaddr: written?.[1] ?? propertyOf(card, "macaddr"),
      rest: card.entries.filter((entry) => entry !== written && entry[0] !== "model" && entry[0] !== "macaddr")
    })
}

const cardText = (model: string, rest: PropertyString["entries"]): string =>
  [model, ...rest.map(([name, value]) => `${name}=${value}`)].join(",")

/** A card of its own that no archive says anything of. */
const usualModel = "virtio"

const cardsOf = (config: ReadonlyMap<string, string>, wished: NetworkCards) =>
  Either.gen(function*() {
    const cards = new Map<string, string>()
    const hwaddrs = new Set<string>()
    for (const [key, text] of config) {
      if (!isCard(key)) continue
      const { hwaddr, model, rest } = yield* cardParts(text)
      if (hwaddr !== undefined) hwaddrs.add(hwaddr.toUpperCase())
      const wish = wished[key]
      // The machine has its driver for this model.
      cards.set(key, wish === undefined ? cardText(model, rest) : `${model},${wish}`)
    }
    for (const [key, wish] of Object.entries(wished)) if (!cards.has(key)) cards.set(key, `${usualModel},${wish}`)
    return { cards: Object.fromEntries(cards), hwaddrs }
  })

/**
 * Whether a virtual machine may be made from an archive with this configuration, given as Proxmox gives it; left says why not. A
 * restore keeps what no token could set: scripts, arguments, devices, drives that the archive has no data of, and with them other
 * guests' disks; and whole sections, so that pending changes would hold from the first start on (qemu-server, restore_merge_config).
 * `wished` are cards that are given anew, without their models.
 */
export const inspectMachine = (text: string, wished: NetworkCards): Either.Either<ArchivedMachine, string> =>
  Either.gen(function*() {
    const section = text.split("\n").find((line) => line.startsWith("["))
    if (section !== undefined) {
      return yield* Either.left(`it has a section that no backup leaves in it (${section.trimEnd()})`)
    }
    const held = disksWithData(text)
    const config = new Map<string, string>()
    const disks = new Map<string, number>()
    for (const line of linesOf(text)) {
      const { key, value } = yield* archivedLine(line)
      if (config.has(key)) return yield* Either.left(`it says ${key} twice`)
      const trouble = keyTrouble(key, value)
      if (trouble !== undefined) return yield* Either.left(trouble)
      config.set(key, value)
      const bytes = isDrive(key) ? yield* diskOf(key, value, held) : null
      if (bytes !== null) disks.set(key, bytes)
    }
    if (disks.size === 0) return yield* Either.left("it is no archive of a virtual machine with a disk")
    const strange = [...held].find((key) => !disks.has(key))
    if (strange !== undefined) {
      return yield* Either.left(`it has data of a disk that its machine did not have (${strange})`)
    }
    return {
      ...(yield* cardsOf(config, wished)),
      smbiosUuid: propertyOf(parsePropertyString(config.get("smbios1") ?? ""), "uuid") ?? null,
      disks,
      protection: config.get("protection") === "1"
    }
  })
