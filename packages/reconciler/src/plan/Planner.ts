import type { DesiredState } from "@felhom/domain/DesiredDocument"
import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import { type Around, type GuestPlan, impossibleGuest, planGuest, stepGuestOf } from "./GuestPlan.ts"
import { planMaking } from "./MakeGuest.ts"
import { identityText, type Match, matchGuests } from "./Matching.ts"
import type { ObservedGuest, ObservedHost } from "./ObservedHost.ts"
import { guestOpLine } from "./OpLine.ts"
import type { Action, Plan, PlanStep, SignatureStep } from "./PlanStep.ts"
import { startupOrder } from "./StartupOrder.ts"

type Matched = readonly [wish: DesiredGuest, match: Match]

const finalNames = (host: ObservedHost, matched: ReadonlyArray<Matched>): ReadonlyArray<string> => {
  const wished = new Map<ObservedGuest, string>()
  const fresh: Array<string> = []
  for (const [{ name }, match] of matched) {
    if (name === undefined) continue
    if (match.match === "found") wished.set(match.guest, name)
    if (match.match === "make") fresh.push(name)
  }
  const kept = host.guests.flatMap((guest) => {
    const name = wished.get(guest) ?? guest.name
    return name === null ? [] : [name]
  })
  const others = host.unread.flatMap(({ name }) => name === null ? [] : [name])
  return [...kept, ...others, ...fresh].map((name) => name.toLowerCase())
}

/** Names that two guests would have, once everything is as wished. */
const sharedNames = (names: ReadonlyArray<string>): ReadonlySet<string> => {
  const once = new Set<string>()
  const shared = new Set<string>()
  for (const name of names) (once.has(name) ? shared : once).add(name)
  return shared
}

const nameFor = (wish: DesiredGuest): string => {
  const { key, smbiosUuid, hwaddrs, volumes } = wish.guest.identity
  return wish.name ?? key ?? hwaddrs[0] ?? volumes[0] ?? smbiosUuid ?? "nobody"
}

const isScratch = ({ scratch }: DesiredPolicy, { ref: { vmid } }: ObservedGuest): boolean =>
  scratch !== null && vmid >= scratch.from && vmid <= scratch.to

const planMatched = (
  [wish, match]: Matched,
  policy: DesiredPolicy,
  around: Around
): GuestPlan => {
  const { identity, type } = wish.guest
  switch (match.match) {
    case "none": {
      const guest = { type, ref: null, identity, name: wish.name ?? null }
      const at = `missing ${identityText(type, identity)}`
      return { steps: [impossibleGuest(guest, at, `${nameFor(wish)}: ${match.why}`)], notes: [] }
    }
    case "make":
      return planMaking(wish, policy, around)
    case "found": {
      const { guest } = match
      if (!isScratch(policy, guest)) return planGuest(wish, guest, around)
      const why = "its number is kept for drills and restores, which a desired state can't name"
      return { steps: [impossibleGuest(stepGuestOf(guest), formatGuestRef(guest.ref), why)], notes: [] }
    }
  }
}

/** A guest that nobody wished for is left alone, whatever the policy; it may be told of. */
const unnamedStep = (guest: ObservedGuest, { node }: ObservedHost): SignatureStep => ({
  class: "needs-signature",
  id: `${formatGuestRef(guest.ref)} guest.destroy`,
  guest: stepGuestOf(guest),
  drift: "unnamed",
  reason: "no wish names it, so it is left alone; if it is not to be there, operators can sign that it goes",
  old: "present",
  new: null,
  op: guestOpLine("guest.destroy", node, guest.ref)
})

const unnamed = (host: ObservedHost, matched: ReadonlyArray<Matched>): ReadonlyArray<ObservedGuest> => {
  const named = new Set(matched.flatMap(([, match]) => match.match === "found" ? [match.guest] : []))
  return host.guests.filter((guest) => !named.has(guest))
}

// What frees memory and processors comes first, and what takes them last.
const phases: { readonly [kind in Action["kind"]]: number } = {
  "guest.shutdown": 0,
  "config.set": 1,
  "config.clear": 1,
  "volume.grow": 1,
  "guest.make": 2,
  "guest.start": 3
}
const toldPhase = 4

interface Place {
  readonly phase: number
  /** Guests start in their host's order, and shut down against it. */
  readonly order: number
  readonly vmid: number
  readonly at: string
  /** Within one guest's steps, as they came. */
  readonly index: number
}

const compareTexts = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

const comparePlaces = (one: Place, other: Place): number =>
  one.phase - other.phase || one.order - other.order || one.vmid - other.vmid || compareTexts(one.at, other.at) ||
  one.index - other.index

const placeOf = (step: PlanStep, index: number, startup: number): Place => {
  const phase = step.class === "benign" ? phases[step.action.kind] : toldPhase
  const order = phase === phases["guest.start"] ? startup : phase === phases["guest.shutdown"] ? -startup : 0
  return {
    phase,
    order,
    vmid: step.guest.ref?.vmid ?? Number.MAX_SAFE_INTEGER,
    at: identityText(step.guest.type, step.guest.identity),
    index
  }
}

const startupOf = ([wish, match]: Matched): number =>
  wish.startup?.order ??
    (match.match === "found" ? startupOrder(match.guest.merged["startup"]) : startupOrder(undefined))

/**
 * What would have to be done for the host to be as wished, in the order in which it would be. Whatever is not named is left alone,
 * and nothing in a plan destroys. A plan without steps: there is nothing to do. Notes are no differences.
 *
 * It decides nothing about now: whether a step may go is the gate's word (`judgePlan`). The order of what it is given does not
 * matter, and its work grows with the guests and the wishes, not with their product.
 */
export const plan = (desired: DesiredState, host: ObservedHost, policy: DesiredPolicy): Plan => {
  const matched = matchGuests(desired.guests, host)
  const around: Around = {
    node: host.node,
    correction: policy.correction,
    sharedNames: sharedNames(finalNames(host, matched)),
    images: new Map(host.images.map(({ size, volid }) => [volid, size]))
  }
  const parts = matched.map((one) => ({ startup: startupOf(one), ...planMatched(one, policy, around) }))
  const others = policy.correction.unnamed === "never" ? [] : unnamed(host, matched).map((guest) => ({
    startup: 0,
    steps: [unnamedStep(guest, host)],
    notes: []
  }))
  const placed = [...parts, ...others].flatMap(({ startup, steps }) =>
    steps.filter(({ drift }) => policy.correction[drift] !== "never")
      .map((step, index) => ({ step, place: placeOf(step, index, startup) }))
  )
  return {
    steps: placed.sort((one, other) => comparePlaces(one.place, other.place)).map(({ step }) => step),
    notes: parts.flatMap(({ notes }) => notes).sort((one, other) =>
      (one.guest.ref?.vmid ?? 0) - (other.guest.ref?.vmid ?? 0) || compareTexts(one.text, other.text)
    )
  }
}
