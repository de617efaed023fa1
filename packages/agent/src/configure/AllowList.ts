import { Either } from "effect"
import { type AddressRange, isLoopback, lies, parseRange } from "./AddressRange.ts"

/** Addresses that the daemon may speak to, and what for. */
export interface Allowed {
  /** Such as `hub hub.example`, for people. One line. */
  readonly reason: string
  readonly addresses: ReadonlyArray<AddressRange>
}

/** Where the drop-in is (systemd.unit(5)). */
export const dropInFile = "/etc/systemd/system/felhom-agent.service.d/network.conf"

const setting = "IPAddressAllow="

/** The drop-in's text: the unit itself allows this host alone. This host's own addresses are left out. */
export const dropInText = (allowed: ReadonlyArray<Allowed>): string => {
  const parts = allowed.flatMap(({ addresses, reason }) => {
    const outside = [...new Set(addresses.filter((range) => !isLoopback(range)).map(({ text }) => text))].sort()
    return outside.length === 0 ? [] : [`# ${reason}`, `${setting}${outside.join(" ")}`]
  })
  return [
    "# Written by felhom-agent configure, which writes it anew: what else is to be allowed belongs into network.allow of the config.",
    "# All others are closed to the agent, in both directions.",
    "[Service]",
    ...parts,
    ""
  ].join("\n")
}

/**
 * What a drop-in allows. An empty assignment takes back all before it, as in systemd. `Left` with a word that is no address:
 * systemd passes over it, and so the line allows less than it seems to.
 */
export const parseDropIn = (text: string): Either.Either<ReadonlyArray<AddressRange>, string> =>
  text.split("\n").reduce<Either.Either<ReadonlyArray<AddressRange>, string>>(
    (so, line) =>
      Either.flatMap(so, (before) => {
        if (!line.startsWith(setting)) return Either.right(before)
        const words = line.slice(setting.length).split(/\s+/).filter((word) => word !== "" && word !== "localhost")
        if (words.length === 0) return Either.right([])
        return Either.map(Either.all(words.map(parseRange)), (ranges) => [...before, ...ranges])
      }),
    Either.right([])
  )

/** Those of the addresses that nothing in the list allows. This host itself always is. */
export const notAllowed = (
  addresses: ReadonlyArray<AddressRange>,
  allowed: ReadonlyArray<AddressRange>
): ReadonlyArray<AddressRange> =>
  addresses.filter((address) => !isLoopback(address) && !allowed.some((range) => lies(address, range)))

/** The name servers of a resolv.conf(5), without the scope that a link-local one has. */
export const nameServers = (text: string): ReadonlyArray<AddressRange> =>
  text.split("\n").flatMap((line) => {
    const [, address = ""] = /^nameserver\s+(\S+)/.exec(line) ?? []
    return Either.match(parseRange(address.replace(/%.*$/, "")), { onLeft: () => [], onRight: (range) => [range] })
  })
