import { decodeDesired, type DesiredDocument } from "@felhom/domain/DesiredDocument"
import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { type GuestIdentity, guestIdentity, trimDescription } from "@felhom/domain/GuestConfig"
import { bytesOf, type Guest, isTemplate, lockOf, nameOf, sectionAsApi, withPending } from "@felhom/pve-sim/Guest"
import { Either } from "effect"
import type { Stage } from "./Stage.ts"
import { shownGuests } from "./Submission.ts"

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const gib = 1024 ** 3

/** A wish that the host took and has not fulfilled, by what the guest really is. */
export interface Unmet {
  /** `lxc/101`, or `new KEY`. */
  readonly guest: string
  readonly key: string
  readonly wanted: string
  readonly found: string
  /** No list shows it, so that it is found when the guest's turn comes to be read whole. */
  readonly hidden: boolean
}

/** What a report says of one of them: why it is not done, or when it is tried again, in ms since the epoch. */
export type Word =
  | { readonly said: "nothing" }
  | { readonly said: "why"; readonly why: string }
  | { readonly said: "later"; readonly at: number }

const sorted = (texts: ReadonlyArray<string>): string => JSON.stringify([...texts].sort())

const isSame = (one: GuestIdentity, other: GuestIdentity): boolean =>
  sorted(one.hwaddrs) === sorted(other.hwaddrs) && sorted(one.volumes) === sorted(other.volumes) &&
  one.smbiosUuid === other.smbiosUuid

const text = new TextDecoder()

/** The desired state that the host goes by, from its own disk; undefined where there is none, or nothing is begun for it now. */
const accepted = ({ disk, ledger, timeline }: Stage): DesiredDocument | undefined => {
  const kept = disk.read("/state/accepted-desired.json")
  if (kept === undefined || ledger.heldSince !== undefined || disk.read("/state/hold") !== undefined) return undefined
  const { document, version } = JSON.parse(text.decode(kept)) as { document: string | null; version: number }
  if (document === null || version === 0) return undefined
  const decoded = decodeDesired(Buffer.from(document, "base64"))
  return Either.isLeft(decoded) || timeline.hostTime >= decoded.right.expires ? undefined : decoded.right
}

/** Nobody is meant by it: a guest without a card, a volume or an id of its machine is shown so, and any such guest would be it. */
const saysNothing = ({ hwaddrs, key, smbiosUuid, volumes }: GuestIdentity): boolean =>
  hwaddrs.length === 0 && volumes.length === 0 && smbiosUuid === null && key === null

/** The guest that a wish names, by what it really is now; undefined where none is, or more than one. */
const meant = (stage: Stage, { guest: { identity, type } }: DesiredGuest): Guest | undefined => {
  if (saysNothing(identity)) return undefined
  const shown = identity.key === null
    ? undefined
    : shownGuests(stage.hub).find(({ expect }) => expect.identity.key === identity.key)
  if (identity.key !== null) return shown === undefined ? undefined : stage.machine.guests.get(shown.ref.vmid)
  const all = [...stage.machine.guests.values()].filter((guest) =>
    guest.type === type && isSame(guestIdentity(type, sectionAsApi(type, withPending(guest))), identity)
  )
  return all.length === 1 ? all[0] : undefined
}

const settingsUnmet = (wish: DesiredGuest, guest: Guest): ReadonlyArray<Omit<Unmet, "guest">> => {
  const { description, values } = withPending(guest)
  const differing: Array<Omit<Unmet, "guest">> = []
  const held = (key: string, wanted: string | undefined, found: string, hidden: boolean) => {
    if (wanted !== undefined && wanted !== found) differing.push({ key, wanted, found, hidden })
  }
  const onOff = (value: boolean | undefined): string | undefined => value === undefined ? undefined : value ? "1" : "0"
  const tags = (values.get("tags") ?? "").split(/[;, ]+/).filter((tag) => tag !== "")
  held("memory", wish.memory?.toFixed(), values.get("memory") ?? "512", false)
  held("cores", wish.cores?.toFixed(), values.get("cores") ?? (guest.type === "qemu" ? "1" : ""), false)
  held("tags", wish.tags === undefined ? undefined : sorted([...new Set(wish.tags)]), sorted(tags), false)
  held("description", wish.description, trimDescription(description ?? ""), true)
  held("onboot", onOff(wish.onboot), values.get("onboot") ?? "0", true)
  held("protection", onOff(wish.protection), values.get("protection") ?? "0", true)
  held(guest.type === "lxc" ? "hostname" : "name", wish.name, nameOf(guest), false)
  for (const [volume, size] of Object.entries(wish.volumes ?? {})) {
    const now = bytesOf(/size=([^,]+)/.exec(values.get(volume) ?? "")?.[1])
    // What is larger than wished stays so.
    if (now < size * gib) differing.push({ key: volume, wanted: `${size}G`, found: `${now / gib}G`, hidden: false })
  }
  return differing
}

/** Its power, where that is the agent's to give and the guest follows. */
const powerUnmet = ({ power }: DesiredGuest, guest: Guest): ReadonlyArray<Omit<Unmet, "guest">> => {
  if (power === undefined || guest.haState !== undefined || guest.running === (power === "running")) return []
  if (power === "running" ? isTemplate(guest) || guest.hollow.size > 0 : guest.stubborn) return []
  return [{ key: "power", wanted: power, found: guest.running ? "running" : "stopped", hidden: false }]
}

/** So many new guests a day are all that a policy without a word on it allows. */
const creationsAtMost = 2

const notMade = (stage: Stage, wish: DesiredGuest): ReadonlyArray<Unmet> => {
  const { key } = wish.guest.identity
  const { created } = stage.ledger
  // One that was made and taken away again is not made a second time.
  if (wish.make === undefined || created.length >= creationsAtMost) return []
  return created.some((vmid) => stage.machine.guests.has(vmid) || stage.ledger.started.has(vmid))
    ? []
    : [{ guest: `new ${key ?? ""}`, key: "guest", wanted: "made", found: "none", hidden: false }]
}

/** All in which the host is not as it took it upon itself to be, by the simulated host's own state. */
export const unmetWishes = (stage: Stage): ReadonlyArray<Unmet> => {
  const document = accepted(stage)
  if (document === undefined) return []
  const wishes = document.state.guests.map((wish) => ({ wish, guest: meant(stage, wish) }))
  return wishes.flatMap(({ guest, wish }) => {
    if (guest === undefined) return notMade(stage, wish)
    const isTwice = wishes.filter((other) => other.guest === guest).length > 1
    if (isTwice || lockOf(guest) !== undefined) return []
    return [...powerUnmet(wish, guest), ...settingsUnmet(wish, guest)].map((one) => ({
      ...one,
      guest: `${guest.type}/${guest.vmid}`
    }))
  })
}

const nothing: Word = { said: "nothing" }

/** What is not so, whatever a report says: nobody holds the host, and nothing is locked. */
const isUntrue = (reason: string): boolean =>
  /holds it locked|the host is held|was good until|HA manager/.test(reason) && !/half/.test(reason)

/** What the host's last report says of it. */
export const wordOn = ({ hub }: Stage, { guest, key }: Unmet): Word => {
  const lines = hub.inventory?.desired?.blocked ?? []
  const named = key === "power" ? /: (?:start|shut down)|can't be as wished/ : new RegExp(
    `: (?:change|grow) ${key}\\b|can't be as wished|: make\\b`
  )
  const [type = "", vmid = ""] = guest.split("/")
  const spoken = new RegExp(`it is ${type === "lxc" ? "CT" : "VM"} ${vmid}, which another entry wishes for`)
  const line = lines.find(({ reason, subject }) =>
    subject === "host"
      ? (reason.startsWith("the desired state") || spoken.test(reason)) && !isUntrue(reason)
      : spoken.test(reason) || (subject === guest && named.test(reason) && !isUntrue(reason))
  )
  if (line !== undefined) {
    const again = /it is tried again at (\S+)$/.exec(line.reason)?.[1]
    return again === undefined ? { said: "why", why: line.reason } : { said: "later", at: Date.parse(again) }
  }
  return nothing
}

/** Two looks at a lost task, a guest's three minutes to shut down, ten patient questions: all of it is over by then. */
const patience = 12 * minute
const cyclesAtMost = 12
/** A guest that no list shows to have changed is read within so many cycles. */
const sweepCycles = 60
/** The longest pause before what does not last is tried again. */
const longestPause = hour

/** Whether the host comes to rest as it should be, from the moment on from which nothing goes wrong any more. */
export class Convergence {
  readonly #stage: Stage
  readonly #since: number
  readonly #answers: number
  #judgedAt = -1
  #isSettled = false

  constructor(stage: Stage) {
    this.#stage = stage
    this.#since = stage.timeline.elapsed
    this.#answers = stage.hub.answers
  }

  /** Reports since then. */
  get #cycles(): number {
    return this.#stage.hub.answers - this.#answers
  }

  /** Why it is late by now; undefined while it may still come. */
  #overdue(one: Unmet): boolean {
    const { timeline } = this.#stage
    const late = this.#cycles > cyclesAtMost && timeline.elapsed - this.#since > patience
    if (one.hidden && this.#cycles <= cyclesAtMost + sweepCycles) return false
    const word = wordOn(this.#stage, one)
    if (word.said === "later") return !(word.at <= timeline.hostTime + longestPause)
    return late && word.said === "nothing"
  }

  /** Nothing is left that is worth waiting for: all is as wished, or told, or will never be. Looked at once for each report. */
  settled(): boolean {
    const { hub, ledger } = this.#stage
    if (hub.answers === this.#judgedAt) return this.#isSettled
    this.#judgedAt = hub.answers
    // What the host did before its first look since then is nothing to go by.
    const open = this.#cycles < 2
      ? []
      : unmetWishes(this.#stage).filter((one) => wordOn(this.#stage, one).said !== "why")
    // It has the last wish, and is as wished: another look would show the same.
    const isAtRest = (hub.trust?.desired?.version ?? 0) === hub.version && unmetWishes(this.#stage).length === 0
    for (const one of open.filter((found) => this.#overdue(found))) {
      const { found, guest, key, wanted } = one
      ledger.violated("converges", `${guest} ${key} is to be ${wanted}, and is ${found} after ${this.#cycles} cycles`)
    }
    // Its turn in the sweep comes with cycles, not with time.
    if (open.length > 0 && open.every(({ hidden }) => hidden)) hub.interval = 15
    this.#isSettled = isAtRest || (this.#cycles >= 2 && open.length === 0)
    return this.#isSettled
  }
}
