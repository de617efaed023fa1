import type { DesiredCard } from "@felhom/domain/DesiredGuest"
import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import type { GuestType } from "@felhom/domain/ProxmoxId"
import { Predicate } from "effect"
import { numeric, text } from "./ConfigForm.ts"
import { effectOf, type Finding, impossible, pendingFindings, rawText, type Seen } from "./Finding.ts"
import { switchPart, unmetParts, type WishedPart, withParts } from "./PropertyChange.ts"

type Part = keyof DesiredCard

const number = (key: string, value: number): WishedPart => ({ key, text: String(value), form: numeric("") })
const word = (key: string, value: string): WishedPart => ({ key, text: value, form: text })

const part =
  <Name extends Part>(name: Name, make: (value: NonNullable<DesiredCard[Name]>) => WishedPart) =>
  (card: DesiredCard): ReadonlyArray<WishedPart> => {
    const value = card[name]
    return Predicate.isNotNullable(value) ? [make(value)] : []
  }

const parts: { readonly [Name in Part]-?: (card: DesiredCard) => ReadonlyArray<WishedPart> } = {
  bridge: part("bridge", (value) => word("bridge", value)),
  tag: part("tag", (value) => number("tag", value)),
  mtu: part("mtu", (value) => number("mtu", value)),
  rate: part("rate", (value) => number("rate", value)),
  firewall: part("firewall", (value) => switchPart("firewall", value)),
  linkDown: part("linkDown", (value) => switchPart("link_down", value)),
  ip: part("ip", (value) => word("ip", value)),
  gw: part("gw", (value) => word("gw", value)),
  ip6: part("ip6", (value) => word("ip6", value)),
  gw6: part("gw6", (value) => word("gw6", value))
}

const ofContainers: ReadonlyArray<Part> = ["ip", "gw", "ip6", "gw6"]

const wishedParts = (card: DesiredCard): ReadonlyArray<WishedPart> => Object.values(parts).flatMap((made) => made(card))

/** The card that a new guest is given; its hardware address is Proxmox's to choose, and a machine's model its image's. */
export const newCard = (type: GuestType, key: string, card: DesiredCard): string =>
  withParts(type === "lxc" ? `name=${key.replace("net", "eth")}` : "", wishedParts(card))

/** The bridge that a card is on. */
export const bridgeOf = (raw: string): string | undefined => propertyOf(parsePropertyString(raw), "bridge")

const hardwareAddress = /(?:^|,)[a-z0-9_-]+=[0-9A-F]{2}(?::[0-9A-F]{2}){5}(?:,|$)/i

/** Why a guest of this type can't be given such a card by its host; undefined where it can. */
export const cardOfOtherType = (type: GuestType, key: string, card: DesiredCard): string | undefined => {
  const parts = type === "lxc" ? [] : ofContainers.filter((name) => card[name] !== undefined)
  return parts.length === 0 ? undefined : `${key}: a virtual machine sets ${parts.join(", ")} inside itself`
}

/** One card against its wish. */
export const cardFindings = (seen: Seen, key: `net${number}`, card: DesiredCard): ReadonlyArray<Finding> => {
  const { current, merged, ref } = seen.guest
  const raw = rawText(merged[key])
  const never = cardOfOtherType(ref.type, key, card)
  if (never !== undefined) return [impossible("network", key, never)]
  if (raw === null) {
    return [impossible(
      "network",
      key,
      `it has no card ${key}: a new one would change who the guest is; add it by hand, then name the guest anew from its host's report`
    )]
  }
  const wished = wishedParts(card)
  const unmet = unmetParts(raw, wished)
  if (unmet.length === 0) {
    const inForce = unmetParts(rawText(current[key]) ?? "", wished)
    return pendingFindings(seen, key, String(inForce.length), "0")
  }
  // Written without its address, the card would be given another one (platform-facts 11, item 2).
  if (!hardwareAddress.test(raw)) {
    return [impossible("network", key, `${key} shows no hardware address, and writing it would give it another`)]
  }
  const written = withParts(raw, unmet)
  return [{
    found: "key",
    drift: "network",
    key,
    before: raw,
    text: written,
    old: raw,
    new: written,
    reason: `${key}: not as wished in ${unmet.map(({ key: part }) => part).join(", ")}`,
    effect: effectOf(seen, key)
  }]
}
