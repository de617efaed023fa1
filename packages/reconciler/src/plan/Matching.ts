import type { DesiredGuest, DesiredGuestKey } from "@felhom/domain/DesiredGuest"
import type { GuestIdentity } from "@felhom/domain/GuestConfig"
import type { GuestRef, GuestType } from "@felhom/domain/ProxmoxId"
import { type MadeGuest, type ObservedGuest, type ObservedHost, spokenRef, spokenType } from "./ObservedHost.ts"

/** What one wish means on this host. */
export type Match =
  | { readonly match: "found"; readonly guest: ObservedGuest }
  /** Nobody has its key, all guests were read, and it says what to make it from. */
  | { readonly match: "make" }
  | { readonly match: "none"; readonly why: string }

const sorted = (list: ReadonlyArray<string>): ReadonlyArray<string> => list.length < 2 ? list : [...list].sort()

/**
 * Who a guest is, as one text. What the agent made itself is known by its key alone; the host's record vouches for that
 * (`ObservedGuest.identity`).
 */
export const identityText = (
  type: GuestType,
  { hwaddrs, key, smbiosUuid, volumes }: GuestIdentity
): string =>
  key === null
    ? JSON.stringify([type, sorted(hwaddrs.map((address) => address.toUpperCase())), sorted(volumes), smbiosUuid])
    : JSON.stringify([type, key])

/** A guest's identity with its key, while it still is what the host has on record as made under its number. */
export const keyedIdentity = (
  { type }: GuestRef,
  identity: GuestIdentity,
  made: MadeGuest | undefined
): GuestIdentity => made?.identity === identityText(type, identity) ? { ...identity, key: made.key } : identity

const textOf = ({ identity, type }: DesiredGuestKey): string => identityText(type, identity)

const saysNothing = ({ hwaddrs, key, smbiosUuid, volumes }: GuestIdentity): boolean =>
  hwaddrs.length === 0 && volumes.length === 0 && smbiosUuid === null && key === null

const gather = <A>(into: Map<string, Array<A>>, key: string, one: A): void => {
  const there = into.get(key)
  if (there === undefined) into.set(key, [one])
  else there.push(one)
}

/** What the host's guests are found by. */
interface Index {
  /** By who they are. */
  readonly guests: ReadonlyMap<string, ReadonlyArray<ObservedGuest>>
  /** The first by each hardware address and each volume; made when it is asked for, as few plans need it. */
  readonly traces: () => ReadonlyMap<string, ObservedGuest>
  /** Nodes, by the guests' names for themselves: `lxc/101`. */
  readonly elsewhere: ReadonlyMap<string, string>
  readonly unread: ReadonlyArray<ObservedHost["unread"][number]>
  readonly made: ReadonlySet<string>
}

const tracesOf = ({ hwaddrs, volumes }: GuestIdentity): ReadonlyArray<string> => [
  ...hwaddrs.map((address) => address.toUpperCase()),
  ...volumes
]

const tracesIn = (guests: ReadonlyArray<ObservedGuest>): ReadonlyMap<string, ObservedGuest> => {
  const found = new Map<string, ObservedGuest>()
  for (const guest of guests) {
    for (const trace of tracesOf(guest.identity)) if (!found.has(trace)) found.set(trace, guest)
  }
  return found
}

const indexOf = ({ elsewhere, guests, made, unread }: ObservedHost): Index => {
  const byIdentity = new Map<string, Array<ObservedGuest>>()
  let traces: ReadonlyMap<string, ObservedGuest> | undefined
  for (const guest of guests) {
    const { identity, ref: { type } } = guest
    gather(byIdentity, identityText(type, identity), guest)
    // Whoever wished for it before the host had it on record, or from a report without keys, still means it.
    if (identity.key !== null) gather(byIdentity, identityText(type, { ...identity, key: null }), guest)
  }
  return {
    guests: byIdentity,
    traces: () => traces ??= tracesIn(guests),
    elsewhere: new Map(elsewhere.map(({ node, ref }) => [`${ref.type}/${ref.vmid}`, node])),
    unread,
    made: new Set(made)
  }
}

/** The numbers in a wish's volumes: `local-lvm:vm-101-disk-0` is 101's. */
const ownersOf = ({ volumes }: GuestIdentity): ReadonlyArray<number> =>
  volumes.flatMap((volid) => {
    const owner = /(?:vm|subvol|base|basevol)-(\d{3,9})-/.exec(volid)?.[1]
    return owner === undefined ? [] : [Number(owner)]
  })

const notHere = (key: DesiredGuestKey, { elsewhere, traces, unread }: Index): string => {
  const node = ownersOf(key.identity).map((vmid) => elsewhere.get(`${key.type}/${vmid}`)).find((one) =>
    one !== undefined
  )
  if (node !== undefined) {
    return `it seems to be on the node ${node} now: wish for it there, in a file that names that host`
  }
  const like = tracesOf(key.identity).map((trace) => traces().get(trace)).find((one) => one !== undefined)
  if (like !== undefined) {
    return like.ref.type === key.type
      ? `${
        spokenRef(like.ref)
      } has some of its network addresses or volumes and not all: it was changed, or restored by ` +
        "half; look at it, then name it anew from this host's report"
      : `${spokenRef(like.ref)} is what has its network addresses or volumes, and a ${
        spokenType[key.type]
      } is wished for; ` +
        "nothing turns one into the other; name it anew from this host's report"
  }
  return unread.length === 0
    ? "no guest of this host is it; name it anew from this host's report"
    : `no guest that could be read is it; ${
      unread.map(({ ref }) => spokenRef(ref)).sort().slice(0, 5).join(", ")
    } could not`
}

const nobody: ReadonlyArray<ObservedGuest> = []

const matchOne = ({ guest: key, make }: DesiredGuest, index: Index): Match => {
  if (saysNothing(key.identity)) return { match: "none", why: "it names no guest: no address, no volume and no key" }
  const all = index.guests.get(textOf(key)) ?? nobody
  const [found] = all
  if (found === undefined) {
    if (make === undefined || index.unread.length > 0) return { match: "none", why: notHere(key, index) }
    // Whoever took it away, or changed it until nobody knows it, is not to find it back the next minute.
    const why =
      "this host made it before, in whole or by half, and it is gone or changed since; wish for a new one under another key"
    return index.made.has(key.identity.key ?? "") ? { match: "none", why } : { match: "make" }
  }
  if (all.length === 1) return { match: "found", guest: found }
  const alike = all.map(({ ref }) => spokenRef(ref)).sort().join(" and ")
  return { match: "none", why: `${alike} can't be told apart; give one of them another network address` }
}

const meantTwice = (whom: string): Match => ({
  match: "none",
  why: `it is ${whom}, which another entry wishes for, too; leave one of them out`
})

/** Whom a wish means, so that no two mean the same: a guest of the host's, or the name of one to be made. */
const meant = (wish: DesiredGuest, match: Match): ObservedGuest | string | undefined =>
  match.match === "found" ? match.guest : match.match === "make" ? textOf(wish.guest) : undefined

/** What each wish means, in the order of the wishes; one guest never answers to two of them. */
export const matchGuests = (
  wishes: ReadonlyArray<DesiredGuest>,
  host: ObservedHost
): ReadonlyArray<readonly [wish: DesiredGuest, match: Match]> => {
  const index = indexOf(host)
  const once = new Set<ObservedGuest | string>()
  const twice = new Set<ObservedGuest | string>()
  const matched = wishes.map((wish) => {
    const match = matchOne(wish, index)
    const whom = meant(wish, match)
    if (whom !== undefined) (once.has(whom) ? twice : once).add(whom)
    return [wish, match] as const
  })
  if (twice.size === 0) return matched
  return matched.map(([wish, match]) => {
    const whom = meant(wish, match)
    return whom === undefined || !twice.has(whom)
      ? [wish, match]
      : [wish, meantTwice(typeof whom === "string" ? whom : spokenRef(whom.ref))]
  })
}
