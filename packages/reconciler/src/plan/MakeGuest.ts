import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { Volid } from "@felhom/domain/ProxmoxId"
import type { BenignKey } from "./ConfigKey.ts"
import type { Around, GuestPlan } from "./GuestPlan.ts"
import { impossibleGuest } from "./GuestPlan.ts"
import { imageKind } from "./ImageKind.ts"
import { cardOfOtherType, newCard } from "./NetworkCard.ts"
import type { BenignStep, GuestMaking, StepGuest } from "./PlanStep.ts"
import { isCard, settingOfContainers, startupText } from "./Settings.ts"
import { gib } from "./VolumeSize.ts"

type Setting = readonly [key: BenignKey, text: string]

const setting = <A>(
  key: BenignKey,
  value: A | undefined,
  text: (value: A) => string = String
): ReadonlyArray<Setting> => value === undefined ? [] : [[key, text(value)]]

const onOff = (value: boolean): string => (value ? "1" : "0")

// What is empty is left out: a fresh guest has none of it.
const settingsOf = (wish: DesiredGuest): ReadonlyArray<Setting> =>
  [
    ...setting(wish.guest.type === "lxc" ? "hostname" : "name", wish.name),
    ...setting("description", wish.description),
    ...setting("tags", wish.tags, (tags) => [...new Set(tags)].sort().join(";")),
    ...setting("protection", wish.protection, onOff),
    ...setting("onboot", wish.onboot, onOff),
    ...setting("startup", wish.startup, (startup) => startupText("", startup)),
    ...setting("cores", wish.cores),
    ...setting("cpulimit", wish.cpulimit),
    ...setting("cpuunits", wish.cpuunits),
    ...setting("memory", wish.memory),
    ...setting("swap", wish.swap),
    ...setting("nameserver", wish.nameserver, (servers) => servers.join(" "))
  ].filter(([, text]) => text !== "")

const cardsOf = ({ guest: { type }, nets }: DesiredGuest): GuestMaking["cards"] =>
  Object.fromEntries(
    Object.entries(nets ?? {}).flatMap(([key, card]) => isCard(key) ? [[key, newCard(type, key, card)]] : [])
      .sort(([one = ""], [other = ""]) => (one < other ? -1 : 1))
  )

/** What is wished for a new guest that none of its type has; undefined where all can be. A machine's disks grow with a later plan. */
export const strangeWish = (wish: DesiredGuest): string | undefined => {
  const { guest: { type }, nets, volumes } = wish
  const isDisk = (volume: string): boolean => volume !== "rootfs" && !volume.startsWith("mp")
  const other = Object.keys(volumes ?? {}).find((volume) => type === "lxc" ? volume !== "rootfs" : !isDisk(volume))
  if (other !== undefined) {
    return type === "lxc"
      ? `a new guest has its root volume alone, and ${other} is wished for`
      : `a virtual machine has no ${other}, which is wished for`
  }
  if (type === "lxc") return undefined
  return settingOfContainers(wish) ??
    Object.entries(nets ?? {}).map(([key, card]) => cardOfOtherType(type, key, card)).find((why) => why !== undefined)
}

const imageWords = {
  template: "a template of containers",
  lxc: "an archive of a container",
  qemu: "an archive of a virtual machine"
} as const

/** Why it can't be made here as it is wished for; undefined where it can. */
const obstacle = (wish: DesiredGuest, archive: Volid, { sharedNames }: Around): string | undefined => {
  const { guest: { type }, make } = wish
  const kind = imageKind(archive)
  if (kind !== null && kind !== type && !(kind === "template" && type === "lxc")) {
    return `the image ${make?.image} is ${imageWords[kind]}, and ${
      type === "lxc" ? "a container" : "a virtual machine"
    } is wished for`
  }
  const strange = strangeWish(wish)
  if (strange !== undefined) return strange
  const bare = Object.entries(wish.nets ?? {}).find(([, { bridge }]) => bridge === undefined)
  if (bare !== undefined) return `its card ${bare[0]} names no bridge to be put on`
  return wish.name !== undefined && sharedNames.has(wish.name.toLowerCase())
    ? `more than one guest of this host would be called ${wish.name}`
    : undefined
}

/** Of a template, which does not say how large: as Proxmox has it (platform-facts 1.2.1). */
const usualRootGib = 4

/** What makes a guest that is wished for and not there, and starts it where that is wished. */
export const planMaking = (
  wish: DesiredGuest,
  policy: DesiredPolicy,
  around: Around
): GuestPlan => {
  const { guest: { identity, type }, make } = wish
  const key = identity.key
  if (make === undefined || key === null) return { steps: [], notes: [] }
  const guest: StepGuest = { type, ref: null, identity, name: wish.name ?? null }
  const at = `new ${key}`
  const not = (why: string): GuestPlan => ({ steps: [impossibleGuest(guest, at, why)], notes: [] })
  const archive = Object.hasOwn(policy.images, make.image) ? policy.images[make.image] : undefined
  if (archive === undefined && policy.golden.images.some((name) => name === make.image)) {
    return not(
      `no manifest of the golden image ${make.image} was accepted on this host; root gives it one that operators signed ` +
        "(felhom-agent golden accept FILE)"
    )
  }
  if (archive === undefined) {
    return not(`the host's policy knows no image ${make.image}; root can name its archive there`)
  }
  const size = around.images.get(archive)
  if (size === undefined) {
    return not(`the image ${make.image} is not on this host: there is no ${archive}; put it there`)
  }
  const why = obstacle(wish, archive, around)
  if (why !== undefined) return not(why)
  const root = wish.volumes?.["rootfs"] ?? (imageKind(archive) === "template" ? usualRootGib : null)
  const makes: BenignStep = {
    class: "benign",
    id: `${at} guest.make`,
    guest,
    drift: "guests",
    reason: `no guest of this host has its key, and it is to be made from ${make.image}`,
    old: null,
    new: `from ${make.image} on ${make.storage}`,
    action: {
      kind: "guest.make",
      key,
      archive,
      storage: make.storage,
      root,
      size: root === null ? size : root * gib,
      settings: settingsOf(wish),
      cards: cardsOf(wish)
    },
    effect: "now",
    precondition: { digest: null, absent: key },
    after: [],
    waitsFor: null,
    op: null
  }
  const starts: BenignStep = {
    ...makes,
    id: `${at} guest.start`,
    drift: "power",
    reason: "it is to run once it is made",
    old: "stopped",
    new: "running",
    action: { kind: "guest.start" },
    precondition: { digest: null, status: "stopped" },
    after: [makes.id]
  }
  return {
    steps: wish.power === "running" && around.correction.power !== "never" ? [makes, starts] : [makes],
    notes: []
  }
}
