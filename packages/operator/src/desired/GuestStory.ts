import type { DesiredApplication, DesiredDetail } from "@felhom/domain/DesiredApi"
import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { displayText } from "@felhom/domain/DisplayText"
import type { Guest } from "@felhom/domain/Guest"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { Inventory } from "@felhom/domain/HostReport"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import { identityText } from "@felhom/reconciler/plan/Matching"
import { Either } from "effect"

/** What is wished for one guest. */
export interface StoryWish {
  readonly called: string
  readonly desired: DesiredGuest
  readonly since: DesiredApplication
}

/** What is known of one guest, whether it is still there or not. */
export interface Story {
  /** `lxc/101`; null for one that was never there under any number. */
  readonly ref: string | null
  /** Null: the host's last report has no such guest. */
  readonly guest: Guest | null
  readonly wish: StoryWish | null
  /** What is wished for whoever was called so, and had other addresses or volumes. */
  readonly former: StoryWish | null
  readonly drift: ReadonlyArray<string>
  readonly blocked: ReadonlyArray<string>
  /** Oldest first. */
  readonly events: ReadonlyArray<HostEvent>
}

const refPattern = /^(?:lxc|qemu)\/\d{3,9}$/

const guestsOf = (inventory: Inventory | null): ReadonlyArray<Guest> =>
  inventory?.guests.state === "ok" ? inventory.guests.value : []

const wishesOf = (detail: DesiredDetail | null): ReadonlyArray<StoryWish> =>
  (detail?.state.guests ?? []).flatMap((desired, index) => {
    const wish = detail?.wishes[index]
    return wish === undefined ? [] : [{ called: wish.called, desired, since: wish.since }]
  })

/** What people call it without its number: `lxc/101 blog` and `new blog` are blog. */
export const nameIn = (called: string): string => called.slice(called.indexOf(" ") + 1)

/** The numbers under which a name occurs in what happened: agents tell of a guest as `lxc/101 (blog)`. */
const refsNamed = (name: string, events: ReadonlyArray<HostEvent>): ReadonlyArray<string> => {
  const mark = ` (${displayText(name)}) `
  return Array.from(
    new Set(
      events.flatMap(({ message, subject }) =>
        subject !== null && refPattern.test(subject) && `${message} `.startsWith(`${subject}${mark}`) ? [subject] : []
      )
    )
  )
}

/** The guest, or the number of one that is gone; null: only a wish calls one so. */
const meant = (
  text: string,
  inventory: Inventory | null,
  detail: DesiredDetail | null,
  events: ReadonlyArray<HostEvent>
): Either.Either<Guest | string | null, string> => {
  const guests = guestsOf(inventory)
  const found = guests.filter((guest) =>
    guest.name === text || formatGuestRef(guest) === text || String(guest.vmid) === text
  )
  const [only] = found
  if (only !== undefined) {
    return found.length === 1 ? Either.right(only) : Either.left(
      `${JSON.stringify(text)} may be any of ${found.map((guest) => formatGuestRef(guest)).join(", ")}; give the number`
    )
  }
  if (refPattern.test(text)) return Either.right(text)
  const [former, ...others] = refsNamed(text, events)
  if (former !== undefined) {
    return others.length === 0 ? Either.right(former) : Either.left(
      `guests called ${JSON.stringify(text)} were ${[former, ...others].join(", ")}; give the number`
    )
  }
  return wishesOf(detail).some(({ called }) => nameIn(called) === text) ? Either.right(null) : Either.left(
    `neither the host's last report nor anything that happened there names a guest ${
      JSON.stringify(text)
    }; felhom host lists them`
  )
}

interface FoundWish {
  readonly wish: StoryWish | null
  /** People called it so, and it is not who they meant any more. */
  readonly former: StoryWish | null
}

const wishFor = (text: string, ref: string | null, guest: Guest | null, detail: DesiredDetail | null): FoundWish => {
  const wishes = wishesOf(detail)
  const called =
    wishes.find(({ called }) =>
      ref === null ? nameIn(called) === text : called === ref || called.startsWith(`${ref} `)
    ) ?? wishes.find(({ called }) => nameIn(called) === text) ?? null
  // Who it is can't be compared with what is gone or was not read: then it is what people called it.
  if (guest === null || guest.config.state === "unavailable") return { wish: called, former: null }
  const who = identityText(guest.type, guest.config.value.identity)
  const wish = wishes.find(({ desired: { guest: { identity, type } } }) => identityText(type, identity) === who) ??
    // What was made by its key a report knows by its name alone.
    wishes.find(({ desired: { guest: { identity, type }, name } }) =>
      identity.key !== null && type === guest.type && name === guest.name
    )
  return wish === undefined ? { wish: null, former: called } : { wish, former: null }
}

const wholeState = /^the desired state\b/

/** Events of all that a host is kept from, whatever their subject is: a document's hash, for one. */
const keepsAll = /^(?:hold|proxmox|state|policy)\.|^(?:desired\.(?:refused|epoch)|envelope\.ignored)$/

/** `not done: a CT (wiki): …`, of a guest that its host does not find. */
const ofOneGuest = /^[a-z ]+: (?:a|new) (?:CT|VM)\b/

const escaped = (text: string): string => text.replace(/[/\\^$.*+?()[\]{}|]/g, "\\$&")

/** What a wish may be called by a host that finds nobody whom it means. */
const knownBy = (wish: StoryWish | null): ReadonlyArray<string> => {
  if (wish === null) return []
  const { hwaddrs, smbiosUuid, volumes } = wish.desired.guest.identity
  return [...hwaddrs, ...volumes, ...(smbiosUuid === null ? [] : [smbiosUuid])]
}

/** Holds one guest's wish, its host's word and its events together. A sentence says why it can't be known who is meant. */
export const storyOf = (
  text: string,
  inventory: Inventory | null,
  detail: DesiredDetail | null,
  events: ReadonlyArray<HostEvent>
): Either.Either<Story, string> =>
  Either.map(meant(text, inventory, detail, events), (one) => {
    const guest = typeof one === "string" ? null : one
    const ref = typeof one === "string" ? one : one === null ? null : formatGuestRef(one)
    const { former, wish } = wishFor(text, ref, guest, detail)
    const key = wish?.desired.guest.identity.key ?? null
    const mention = ref === null ? undefined : new RegExp(`(?<![\\w/])${escaped(ref)}(?!\\d)`)
    const isAbout = (subject: string | null): boolean =>
      subject !== null && (subject === ref || (key !== null && subject.includes(key)))
    const name = guest?.name ?? wish?.desired.name ?? (wish === null ? null : nameIn(wish.called))
    const asked = wish ?? former
    // A guest that its host does not find has no subject there, and stands in the words by its name, or by what it is known by.
    const marks = [
      ...(name === null ? [] : [` (${displayText(name)})`]),
      ...knownBy(asked).map((mark) => `: ${displayText(mark)}: `)
    ]
    const isNamed = (words: string): boolean => marks.some((mark) => words.includes(mark))
    const reasons = (list: ReadonlyArray<{ readonly subject: string; readonly reason: string }> | undefined) =>
      (list ?? []).flatMap(({ reason, subject }) =>
        isAbout(subject) || (subject === "host" && (wholeState.test(reason) || isNamed(reason))) ? [reason] : []
      )
    // What keeps the host from all that is wished keeps it from this, too.
    const isHostWide = ({ kind, message, subject }: HostEvent): boolean =>
      asked !== null &&
      (keepsAll.test(kind) ||
        (subject === null && kind.startsWith("desired.") && (!ofOneGuest.test(message) || isNamed(message))))
    return {
      ref,
      guest,
      wish,
      former,
      drift: reasons(inventory?.desired?.drift),
      blocked: reasons(inventory?.desired?.blocked),
      // An op's subject is its own hash, and whom it was about stands in its words.
      events: events.filter((event) =>
        isAbout(event.subject) || isHostWide(event) ||
        (event.kind.startsWith("op.") && mention?.test(event.message) === true)
      )
    }
  })
