import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import type { Deferred } from "effect"
import { FileLock } from "./FileLock.ts"
import { emptySection, type GuestFile, type GuestSection, parseGuestFile, renderGuestFile } from "./GuestFile.ts"
import { sha1Hex } from "./Sha1.ts"

type Latch = Deferred.Deferred<void>

/** What the HA manager can be asked for. */
export type HaState = "started" | "stopped" | "ignored" | "disabled"

/** One guest of the simulated host. Mutable: tasks change it. */
export interface Guest {
  readonly vmid: number
  readonly type: "lxc" | "qemu"
  readonly file: GuestFile
  running: boolean
  /** Process id of the guest's init while it runs. */
  pid: number
  /** Milliseconds since the epoch; when `running` last changed. */
  changedAt: number
  /** What pvestatd saw last, as long as it has not looked again since the change. */
  runningBefore: boolean
  changedBefore: number
  /** Bytes of files in it: what a backup writes, and a restore needs. */
  bytes: number
  /** The state that the HA manager was told to bring it to, if it looks after this guest. */
  haState: HaState | undefined
  /** Ignores a polite shutdown. */
  stubborn: boolean
  /** It powers itself off so many seconds after its next start, and after that one only; undefined: it does not. */
  firstBootSeconds: number | undefined
  /** The file system inside was mounted when the snapshot was taken, so ext4's multi mount protection makes the next mount wait. */
  mountBusy: boolean
  /** Open while a start hangs in the mount; whoever asks for the guest's state waits for it (platform-facts 3.5). */
  mounting: Latch | undefined
  /** Volumes whose data never reached the disk: nothing starts from them (platform-facts 11, item 6). */
  readonly hollow: Set<string>
  /** Snapshots that were taken while the guest ran. */
  readonly takenRunning: Set<string>
  /** /run/lock/…: held by whoever changes the config file. */
  readonly fileLock: FileLock
}

// What the recorded host's small container holds.
const recordedBytes = 2_498_560

export const makeGuest = (
  options: { readonly vmid: number; readonly type: "lxc" | "qemu"; readonly configFile: string; readonly speed: number }
): Guest => ({
  vmid: options.vmid,
  type: options.type,
  file: parseGuestFile(options.configFile),
  running: false,
  pid: 0,
  changedAt: 0,
  runningBefore: false,
  changedBefore: 0,
  bytes: recordedBytes,
  haState: undefined,
  stubborn: false,
  firstBootSeconds: undefined,
  mountBusy: false,
  mounting: undefined,
  hollow: new Set(),
  takenRunning: new Set(),
  fileLock: new FileLock(
    options.type === "lxc"
      ? `/run/lock/lxc/pve-config-${options.vmid}.lock`
      : `/var/lock/qemu-server/lock-${options.vmid}.conf`,
    options.speed
  )
})

/** SHA-1 over the whole config text (platform-facts 5.9). */
export const digestOf = (guest: Guest): string => sha1Hex(renderGuestFile(guest.file))

export const lockOf = (guest: Guest): string | undefined => guest.file.current.values.get("lock")

export const isTemplate = (guest: Guest): boolean => guest.file.current.values.get("template") === "1"

export const nameOf = (guest: Guest): string =>
  guest.type === "lxc"
    ? guest.file.current.values.get("hostname") ?? `CT${guest.vmid}`
    : guest.file.current.values.get("name") ?? `VM ${guest.vmid}`

// The keys whose values the API gives as JSON numbers; everything else is text (platform-facts 7.3).
const numericKeys = {
  lxc: new Set([
    "console",
    "cores",
    "cpuunits",
    "debug",
    "memory",
    "onboot",
    "protection",
    "swap",
    "template",
    "tty",
    "unprivileged",
    "snaptime"
  ]),
  qemu: new Set([
    "acpi",
    "autostart",
    "balloon",
    "cores",
    "cpuunits",
    "freeze",
    "kvm",
    "localtime",
    "numa",
    "onboot",
    "protection",
    "reboot",
    "shares",
    "snaptime",
    "sockets",
    "tablet",
    "tdf",
    "template",
    "vcpus"
  ])
}

const typed = (type: "lxc" | "qemu", key: string, value: string): string | number =>
  numericKeys[type].has(key) && /^\d+$/.test(value) ? Number(value) : value

/** A description as the API gives it: LXC adds a newline that nobody sent, QEMU cuts trailing white space (platform-facts 5.10). */
export const shownDescription = (type: "lxc" | "qemu", section: GuestSection): string | undefined =>
  section.description === undefined
    ? undefined
    : type === "qemu"
    ? section.description.replace(/\s+$/, "")
    : `${section.description.replace(/\n+$/, "")}\n`

/** `lxc.*`: lines for LXC itself, which the API shows as a list and nobody can set over it (platform-facts 5.1). */
export const isRawKey = (type: "lxc" | "qemu", key: string): boolean => type === "lxc" && key.startsWith("lxc.")

/** One section as the API shows it, without its raw lines. */
export const sectionAsApi = (type: "lxc" | "qemu", section: GuestSection): { [key: string]: string | number } => {
  const shown: { [key: string]: string | number } = {}
  const description = shownDescription(type, section)
  if (description !== undefined) shown["description"] = description
  for (const [key, value] of section.values) if (!isRawKey(type, key)) shown[key] = typed(type, key, value)
  return shown
}

/** What is in force with the pending changes on top: what `GET …/config` shows without `current=1`. */
export const withPending = (guest: Guest): GuestSection => {
  const { current, pending } = guest.file
  const values = new Map(current.values)
  for (const key of pendingDeletes(guest)) values.delete(key)
  for (const [key, value] of pending) if (key !== "delete") values.set(key, value)
  return { description: current.description, values }
}

export const pendingDeletes = (guest: Guest): ReadonlyArray<string> =>
  (guest.file.pending.get("delete") ?? "").split(",").filter((key) => key !== "")

/** Writes the pending changes into force, as a start does. */
export const applyPending = (guest: Guest): void => {
  const merged = withPending(guest)
  guest.file.current = merged
  guest.file.pending = new Map()
}

/** The volumes and mounts of a section: `rootfs`, `mpN`, or a VM's drives. */
export const volumesOf = (
  guest: Guest,
  section: GuestSection
): ReadonlyArray<{ readonly key: string; readonly source: string; readonly text: string }> => {
  const keys = guest.type === "lxc" ? /^(?:rootfs|mp\d+)$/ : /^(?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+$/
  // The root comes first, as it does when Proxmox goes through them.
  const rootFirst = Array.from(section.values).toSorted(([a], [b]) => Number(b === "rootfs") - Number(a === "rootfs"))
  return rootFirst.flatMap(([key, text]) => {
    if (!keys.test(key)) return []
    const property = parsePropertyString(text)
    const source = property.bare ?? propertyOf(property, "volume") ?? propertyOf(property, "file")
    return source === undefined || propertyOf(property, "media") === "cdrom" ? [] : [{ key, source, text }]
  })
}

/** Bytes of a size as in `size=1G`. */
export const bytesOf = (size: string | undefined): number => {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(size ?? "") ?? []
  return digits === undefined ? 0 : Math.floor(Number(digits) * 1024 ** " KMGT".indexOf(unit === "" ? " " : unit))
}

/** Copies a section for a snapshot or back, without what belongs to one side alone (platform-facts 5.11). */
export const copyConfig = (from: GuestSection, onto: GuestSection = emptySection()): GuestSection => {
  for (const [key, value] of from.values) {
    if (!/^(?:snapstate|snaptime|vmstate|lock|digest|unused\d+)$/.test(key)) onto.values.set(key, value)
  }
  return onto
}

export const setRunning = (guest: Guest, running: boolean, nowMillis: number, pid: number): void => {
  guest.runningBefore = guest.running
  guest.changedBefore = guest.changedAt
  guest.running = running
  guest.changedAt = nowMillis
  guest.pid = running ? pid : 0
}
