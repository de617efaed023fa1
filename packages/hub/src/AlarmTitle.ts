import { displayTextWithin } from "@felhom/domain/DisplayText"

/** What a title needs to know of a host. */
interface Named {
  readonly node: string
  readonly sentence: string
  readonly since: number
  readonly clearedAt: number | null
}

/** The cause of the kind that a cause begins with, for several hosts at once. */
const kinds: { readonly [kind: string]: (object: string) => string } = {
  silent: () => "stopped reporting",
  unreported: () => "were accepted and never reported",
  "one-off": () => "have sent nothing but one-off reports",
  proxmox: () => "have a Proxmox VE that does not answer or refuses",
  unreadable: () => "can't be read in part",
  "storage.offline": (object) => `have storage ${object} offline`,
  "storage.full": (object) => `have storage ${object} full`,
  "disk.health": (object) => `have disk ${object} failing`,
  "storage.health": (object) => `have storage ${object} in trouble`,
  "sensor.health": (object) => `are too hot (${object})`,
  "disk-set.health": (object) => `lack a disk of the set ${object}`,
  "disk.worn": (object) => `have disk ${object} worn`,
  "guests.unreadable": () => "have guests that could not be read",
  state: () => "can't keep their state",
  clock: () => "have a wrong clock",
  event: (object) => `had a critical event: ${object}`,
  "events.lost": () => "lost events",
  "desired.epoch": () => "do not take what this hub's store wishes for them",
  "desired.untaken": () => "do not take what is wished for them",
  "desired.set-back": () => "have a later wish than this hub knows",
  "desired.stale": () => "go by nothing, as what was wished for them has run out",
  "desired.blocked": () => "are kept from what is wished for them",
  "set-back": () => "report older numbers than before",
  unsigned: () => "have reports in their name that are not signed",
  forged: () => "have reports in their name that another key signed",
  twins: () => "have two agents with one identity",
  retired: () => "were retired and report all the same"
}

const longest = 120

const short = (text: string): string => displayTextWithin(text, longest)

const parts = (cause: string): readonly [kind: string, object: string] => {
  const space = cause.indexOf(" ")
  return space < 0 ? [cause, ""] : [cause.slice(0, space), cause.slice(space + 1)]
}

/** Whether the cause is a state that ends; an event happened, and is only no longer new. */
export const isState = (cause: string): boolean => !["event", "events.lost"].includes(parts(cause)[0])

/** Hosts that fell silent within that long of each other, in milliseconds, did so together. */
const together = 600_000

const silentTogether = (hosts: ReadonlyArray<Named>, fleet: number): string => {
  const times = hosts.map(({ since }) => since)
  if (hosts.length >= fleet) {
    return `no host reports any more (${hosts.length} of ${fleet}): the hub's own network is the likely cause`
  }
  return Math.max(...times) - Math.min(...times) <= together
    ? `${hosts.length} of ${fleet} hosts stopped reporting: they may share a cause, such as power or a site's network`
    : `${hosts.length} of ${fleet} hosts are silent`
}

/**
 * A cause in one line for people, safe for a terminal and a mail's subject. `fleet` is how many hosts the hub expects to hear.
 */
export const titleOf = (cause: string, hosts: ReadonlyArray<Named>, fleet: number): string => {
  const ill = hosts.filter(({ clearedAt }) => clearedAt === null)
  const named = ill.length === 0 ? hosts : ill
  const [only] = named
  if (only === undefined) return short(cause)
  if (named.length === 1) {
    return cause === "silent" ? `${short(only.node)} stopped reporting` : short(`${only.node}: ${only.sentence}`)
  }
  if (cause === "silent") return silentTogether(named, fleet)
  const [kind, object] = parts(cause)
  return short(`${named.length} hosts ${kinds[kind]?.(object) ?? `have the same trouble: ${only.sentence}`}`)
}
