import { goodForBounds } from "@felhom/domain/DesiredApi"
import { DesiredGuest } from "@felhom/domain/DesiredGuest"
import type { Guest } from "@felhom/domain/Guest"
import { formatGuestRef, type GuestType } from "@felhom/domain/ProxmoxId"
import { strangeWish } from "@felhom/reconciler/plan/MakeGuest"
import { identityText } from "@felhom/reconciler/plan/Matching"
import { Either, ParseResult, Schema } from "effect"
import type { Witnessed } from "../SignedHost.ts"
import { nearest } from "./Nearest.ts"
import type { GuestWish } from "./WishFile.ts"
import type { HostWishes } from "./WishHosts.ts"
import type { Problem, ReadWish } from "./WishText.ts"

/** What is wished for one guest of one host, whom it means, and what people call it. */
export interface ResolvedGuest {
  readonly desired: DesiredGuest
  readonly called: string
  /** Null where it is still to be made. */
  readonly guest: Guest | null
}

/** What is wished for one host. */
export interface ResolvedHost {
  readonly guests: ReadonlyArray<ResolvedGuest>
  /** Seconds. */
  readonly goodFor: number
}

const spoken: { readonly [type in GuestType]: string } = { lxc: "a container", qemu: "a virtual machine" }

const listed = (guests: ReadonlyArray<Guest>): string => guests.map((guest) => formatGuestRef(guest)).join(" and ")

const byNumber = (label: string, guests: ReadonlyArray<Guest>): Either.Either<Guest, string> => {
  const found = guests.find((guest) => formatGuestRef(guest) === label)
  if (found !== undefined) return Either.right(found)
  const [type, number = ""] = label.split("/")
  const other = guests.find(({ vmid }) => String(vmid) === number)
  return Either.left(
    other === undefined
      ? `the host has no guest ${label}, by its last report`
      : `${number} is ${spoken[other.type]} there (${formatGuestRef(other)}), and ${
        spoken[type === "lxc" ? "lxc" : "qemu"]
      } is wished for`
  )
}

const byName = (label: string, guests: ReadonlyArray<Guest>): Either.Either<Guest, string> => {
  const found = guests.filter(({ name }) => name === label)
  const [only] = found
  if (only !== undefined && found.length === 1) return Either.right(only)
  if (found.length > 1) {
    return Either.left(`${found.length} guests of the host are called that: ${listed(found)}; name each by its number`)
  }
  const numbered = guests.find(({ vmid }) => String(vmid) === label)
  const meant = numbered === undefined
    ? nearest(label, guests.flatMap(({ name }) => name === null ? [] : [name]))
    : formatGuestRef(numbered)
  return Either.left(
    `no guest of the host is called that, by its last report${meant === undefined ? "" : `; is ${meant} meant?`}` +
      " To have it made, say from what (make)"
  )
}

/** The one guest that a person means by `lxc/101` or by its name. */
export const guestCalled = (label: string, guests: ReadonlyArray<Guest>): Either.Either<Guest, string> =>
  /^(?:lxc|qemu)\/\d+$/.test(label) ? byNumber(label, guests) : byName(label, guests)

const saysNothing = ({ hwaddrs, key, smbiosUuid, volumes }: DesiredGuest["guest"]["identity"]): boolean =>
  hwaddrs.length === 0 && volumes.length === 0 && smbiosUuid === null && key === null

/** Who it is, as its host says; people's numbers and names are not what a host goes by (protocol 4). */
const keyOf = (guest: Guest): Either.Either<DesiredGuest["guest"], string> => {
  const { config, type } = guest
  if (config.state === "unavailable") {
    return Either.left(`the host could not read who ${formatGuestRef(guest)} is: ${config.reason}`)
  }
  const { identity } = config.value
  return saysNothing(identity)
    ? Either.left(
      `${formatGuestRef(guest)} has no network address and no volume, so nothing tells it from another guest`
    )
    : Either.right({ type, identity })
}

const decode = Schema.decodeUnknownEither(DesiredGuest, { errors: "all", onExcessProperty: "error" })

const desiredFor = (
  key: DesiredGuest["guest"],
  { make, ...settings }: GuestWish
): Either.Either<DesiredGuest, string> =>
  Either.mapLeft(
    decode({
      guest: key,
      ...settings,
      ...(make === undefined ? {} : { make: { image: make.image, storage: make.storage } })
    }),
    (error) => ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message }) => message).join("; ")
  )

const dnsName = /^(?=.{1,63}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/

/** A guest that is made gets the name that the file calls it, unless it says another. */
const toBeMade = (label: string, wish: GuestWish, guests: ReadonlyArray<Guest>) =>
  Either.gen(function*() {
    const { key = null, type = "lxc" } = wish.make ?? {}
    if (wish.name === undefined && !dnsName.test(label)) {
      return yield* Either.left("what is made needs a name: call it such as web-2, or say its name")
    }
    const desired = yield* desiredFor(
      { type, identity: { hwaddrs: [], volumes: [], smbiosUuid: null, key } },
      { name: label, ...wish }
    )
    const strange = strangeWish(desired)
    if (strange !== undefined) return yield* Either.left(strange)
    const found = guests.find(({ config }) => config.state === "ok" && config.value.identity.key === key) ?? null
    return { desired, guest: found, called: `${found === null ? "new" : formatGuestRef(found)} ${label}` }
  })

const standing = (label: string, wish: GuestWish, guests: ReadonlyArray<Guest>) =>
  Either.gen(function*() {
    const guest = yield* guestCalled(label, guests)
    const desired = yield* desiredFor(yield* keyOf(guest), wish)
    const ref = formatGuestRef(guest)
    return { desired, guest, called: guest.name === null ? ref : `${ref} ${guest.name}` }
  })

const resolve = (label: string, wish: GuestWish, guests: ReadonlyArray<Guest>): Either.Either<ResolvedGuest, string> =>
  wish.make === undefined ? standing(label, wish, guests) : toBeMade(label, wish, guests)

const placeOf = ({ file, line }: Problem): string => `${file}, line ${line}`

/** Whom the wishes for one host mean, held against what it said itself; everything that is wrong at once. */
export const resolveHost = (
  { files, summary: { host } }: HostWishes,
  { inventory }: Witnessed
): Either.Either<ResolvedHost, ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const add = (file: ReadWish, label: string | undefined, what: string) => {
    problems.push(file.problem(label === undefined ? [] : ["guests", label], `on ${host.node}: ${what}`))
  }
  const section = inventory?.guests
  if (section === undefined || section.state === "unavailable") {
    const why = section === undefined
      ? "the hub has no inventory that the host signed; wait for its next report with one"
      : `it could not read its guests: ${section.reason}`
    return Either.left(files.map((file) => file.problem([], `on ${host.node}: ${why}`)))
  }
  const meant = new Map<string, Problem>()
  const guests: Array<ResolvedGuest> = []
  const times = new Map<number, ReadWish>()
  for (const file of files) {
    times.set(file.wish.goodFor ?? goodForBounds.usual, file)
    for (const [label, wish] of Object.entries(file.wish.guests)) {
      const found = resolve(label, wish, section.value)
      if (Either.isLeft(found)) {
        add(file, label, found.left)
        continue
      }
      const { guest: { identity, type } } = found.right.desired
      const whom = identityText(type, identity)
      const before = meant.get(whom)
      if (before !== undefined) {
        add(file, label, `something is wished for this very guest in ${placeOf(before)} already`)
      } else {
        meant.set(whom, file.problem(["guests", label], ""))
        guests.push(found.right)
      }
    }
  }
  const [goodFor = goodForBounds.usual, other] = times.keys()
  const second = other === undefined ? undefined : times.get(other)
  if (second !== undefined) {
    problems.push(second.problem(["goodFor"], `on ${host.node}: two files say how long it is good, and not the same`))
  }
  return problems.length > 0 ? Either.left(problems) : Either.right({ guests, goodFor })
}
