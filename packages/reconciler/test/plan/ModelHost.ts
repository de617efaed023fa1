import type { DesiredState } from "@felhom/domain/DesiredDocument"
import { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { type GuestConfig, type GuestIdentity, guestIdentity } from "@felhom/domain/GuestConfig"
import { type GuestType, NodeName, StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import type { ObservedGuest, ObservedHost } from "@felhom/reconciler/plan/ObservedHost"
import { plan } from "@felhom/reconciler/plan/Planner"
import type { BenignStep, Plan, PlanStep } from "@felhom/reconciler/plan/PlanStep"
import { Schema } from "effect"

export const policyOf = Schema.decodeUnknownSync(DesiredPolicy, { onExcessProperty: "error" })
export const wishOf = Schema.decodeUnknownSync(DesiredGuest, { onExcessProperty: "error" })

export const gib = 1024 ** 3
export const imageVolid = Volid.make("local:backup/vzdump-lxc-900-2026_01_01-00_00_00.tar.zst")

/** A policy that lets everything be corrected, and knows one image. */
export const openPolicy = policyOf({
  bridges: ["vmbr0", "vmbr1"],
  storages: ["local-zfs"],
  images: { "debian-13": imageVolid },
  caps: { creations: 100, grownGib: 100_000 },
  blastRadius: { guests: 1000, minutes: 60 }
})

const hex = (value: number, width: number): string => value.toString(16).toUpperCase().padStart(width, "0")

const macOf = (vmid: number, card = 0): string => `BC:24:11:${hex(card, 2)}:${hex(vmid >> 8, 2)}:${hex(vmid & 255, 2)}`

const usual = (type: GuestType, vmid: number): GuestConfig =>
  type === "lxc"
    ? {
      arch: "amd64",
      hostname: `ct-${vmid}`,
      memory: 512,
      swap: 512,
      net0: `name=eth0,bridge=vmbr0,hwaddr=${macOf(vmid)},ip=dhcp,type=veth`,
      rootfs: `local-zfs:subvol-${vmid}-disk-0,size=8G`,
      digest: "d0"
    }
    : {
      name: `vm-${vmid}`,
      memory: "2048",
      net0: `virtio=${macOf(vmid)},bridge=vmbr0,firewall=1`,
      scsi0: `local-zfs:vm-${vmid}-disk-0,size=32G`,
      smbios1: `uuid=00000000-0000-0000-0000-${String(vmid).padStart(12, "0")}`,
      digest: "d0"
    }

export interface GuestOptions extends Partial<Omit<ObservedGuest, "ref" | "identity" | "merged" | "current">> {
  readonly type?: GuestType
  readonly vmid?: number
  readonly config?: GuestConfig
  /** What is in force, where that is something else. */
  readonly current?: GuestConfig
  readonly key?: string
}

const without = (config: GuestConfig): GuestConfig =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))

/** A guest of the model; a key that is undefined in `config` is left away. */
export const guestOf = (options: GuestOptions = {}): ObservedGuest => {
  const { config, current, key = null, type = "lxc", vmid = 101, ...rest } = options
  const merged = without({ ...usual(type, vmid), ...config })
  return {
    ref: { type, vmid: Vmid.make(vmid) },
    name: String(merged[type === "lxc" ? "hostname" : "name"]),
    status: "running",
    template: false,
    lock: null,
    ha: null,
    memoryUsed: 100 * 1024 ** 2,
    ...rest,
    identity: { ...guestIdentity(type, merged), key },
    merged,
    current: current === undefined ? merged : without({ ...merged, ...current })
  }
}

export const hostOf = (
  guests: ReadonlyArray<ObservedGuest>,
  rest: Partial<ObservedHost> = {}
): ObservedHost => ({
  node: NodeName.make("pve"),
  guests,
  unread: [],
  elsewhere: [],
  storages: [{
    storage: StorageId.make("local-zfs"),
    type: "zfspool",
    active: true,
    total: 1000 * gib,
    available: 800 * gib,
    metadata: null
  }],
  images: [{ volid: imageVolid, size: 2 * gib }],
  made: [],
  ...rest
})

export type Wish = { readonly [key: string]: unknown }

/** What is wished for this guest. */
export const wishFor = ({ identity, ref }: Pick<ObservedGuest, "identity" | "ref">, wish: Wish): DesiredGuest =>
  wishOf({ guest: { type: ref.type, identity: { ...identity, key: null } }, ...wish })

export const keyed = (key: string): GuestIdentity => ({ hwaddrs: [], volumes: [], smbiosUuid: null, key })

export const keyNumber = (number: number): string => hex(number, 32).toLowerCase()

/** A container that is to be made if it is not there. */
export const wishNew = (key: string, wish: Wish = {}): DesiredGuest =>
  wishOf({
    guest: { type: "lxc", identity: keyed(key) },
    make: { image: "debian-13", storage: "local-zfs" },
    ...wish
  })

export const stateOf = (...guests: ReadonlyArray<DesiredGuest>): DesiredState => ({ guests })

/** One guest against one wish. */
export const planOne = (guest: ObservedGuest, wish: Wish, policy = openPolicy): Plan =>
  plan(stateOf(wishFor(guest, wish)), hostOf([guest]), policy)

export const isBenign = (step: PlanStep): step is BenignStep => step.class === "benign"

/** `config.set cores=4`, `guest.start`, or why not. */
export const told = ({ steps }: Plan): ReadonlyArray<string> =>
  steps.map((step) => {
    if (step.class === "not-possible") return `not possible: ${step.reason}`
    if (step.class === "needs-signature") return step.op
    const { action } = step
    if (action.kind === "config.set") return `set ${action.key}=${action.text}`
    if (action.kind === "config.clear") return `clear ${action.key}`
    return action.kind === "volume.grow" ? `grow ${action.volume} to ${action.bytes / gib}` : action.kind
  })

// What Proxmox itself does with what it is sent, as platform-facts 1.10, 5.9 and 5.10 have it; nothing of the planner's.
const kept = (key: string, text: string): unknown => {
  if (key === "tags") return text.toLowerCase().split(";").sort().join(";")
  if (key === "description") return `${text}\n`
  return key === "memory" || key === "onboot" ? Number(text) : text
}

const waits: { readonly [type in GuestType]: ReadonlyArray<string> } = {
  lxc: ["nameserver"],
  qemu: ["cores", "memory"]
}

const written = (guest: ObservedGuest, key: string, value: unknown): ObservedGuest => {
  const merged = without({ ...guest.merged, [key]: value, digest: `${String(guest.merged["digest"])}+` })
  const pending = guest.status === "running" && waits[guest.ref.type].includes(key)
  return {
    ...guest,
    merged,
    current: pending ? guest.current : without({ ...guest.current, [key]: value }),
    name: key === "hostname" || key === "name" ? String(value) : guest.name
  }
}

const changed = (guest: ObservedGuest, { action }: BenignStep): ObservedGuest => {
  switch (action.kind) {
    case "guest.shutdown":
      return { ...guest, status: "stopped", current: guest.merged }
    case "guest.start":
      return { ...guest, status: "running", current: guest.merged }
    case "config.set":
      return written(guest, action.key, kept(action.key, action.text))
    case "config.clear":
      return written(guest, action.key, undefined)
    case "volume.grow":
      return written(
        guest,
        action.volume,
        String(guest.merged[action.volume]).replace(/size=\w+/, `size=${action.bytes / gib}G`)
      )
    case "guest.make":
      return guest
  }
}

const makeGuest = ({ action }: BenignStep, vmid: number): ReadonlyArray<ObservedGuest> => {
  if (action.kind !== "guest.make") return []
  const cards = Object.entries(action.cards).map(([key, card], index) => [key, `${card},hwaddr=${macOf(vmid, index)}`])
  const config = Object.fromEntries([
    ...cards,
    ...action.settings.map(([key, text]) => [key, kept(key, text)]),
    ["rootfs", `${action.storage}:subvol-${vmid}-disk-0,size=${action.root ?? 4}G`]
  ])
  return [guestOf({ vmid, key: action.key, status: "stopped", memoryUsed: null, config })]
}

const isOf = (guest: ObservedGuest, { guest: { identity, ref } }: BenignStep): boolean =>
  ref === null ? guest.identity.key === identity.key : guest.ref.vmid === ref.vmid

/** The host after these steps, one after the other. */
export const applied = (host: ObservedHost, steps: ReadonlyArray<PlanStep>): ObservedHost =>
  steps.filter(isBenign).reduce<ObservedHost>((before, step) => {
    const next = Math.max(7000, ...before.guests.map(({ ref }) => ref.vmid)) + 1
    return {
      ...before,
      guests: [
        ...before.guests.map((guest) => isOf(guest, step) ? changed(guest, step) : guest),
        ...makeGuest(step, next)
      ]
    }
  }, host)
