import type { HostSummary } from "@felhom/domain/HubApi"
import { shortIdLength } from "../HostsView.ts"
import { nearest } from "./Nearest.ts"
import type { Problem, ReadWish } from "./WishText.ts"

/** One host, and the files that wish anything for it. */
export interface HostWishes {
  readonly summary: HostSummary
  readonly files: ReadonlyArray<ReadWish>
}

export interface FoundHosts {
  readonly hosts: ReadonlyArray<HostWishes>
  readonly problems: ReadonlyArray<Problem>
}

const matcher = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll(/\*+/g, ".*")}$`)

const describe = (hosts: ReadonlyArray<HostSummary>): string =>
  hosts.map(({ host }) => `${host.node} (${host.id.slice(0, shortIdLength)})`).join(", ")

/** The hosts that are meant, or why it can't be known which. Retired ones are never meant. */
const hostsFor = (text: string, known: ReadonlyArray<HostSummary>): ReadonlyArray<HostSummary> | string => {
  if (text.includes("*")) {
    const found = known.filter(({ host }) => matcher(text).test(host.node))
    return found.length > 0 ? found : `no host's node name is like ${text}; see felhom hosts`
  }
  const named = known.filter(({ host }) => host.node === text)
  const found = named.length > 0 ? named : known.filter(({ host }) => host.id.startsWith(text.toLowerCase()))
  if (found.length === 1) return found
  if (found.length > 1) return `${text} may be any of ${describe(found)}; give the beginning of an id`
  const meant = nearest(text, known.map(({ host }) => host.node))
  return `this hub knows no host ${text}${meant === undefined ? "" : `; is ${meant} meant?`}; see felhom hosts`
}

const namesIn = (
  { wish: { host, hosts } }: ReadWish
): ReadonlyArray<readonly [path: ReadonlyArray<PropertyKey>, string]> =>
  host !== undefined ? [[["host"], host]] : (hosts ?? []).map((name, index) => [["hosts", index], name])

/**
 * Which hosts the files are for. What several files wish for one host is one wish, so that a file for a group and one for a host
 * may stand side by side.
 */
export const hostsIn = (files: ReadonlyArray<ReadWish>, all: ReadonlyArray<HostSummary>): FoundHosts => {
  const known = all.filter(({ retiredAt }) => retiredAt === null)
  const problems: Array<Problem> = []
  const byHost = new Map<string, HostWishes>()
  for (const file of files) {
    for (const [path, name] of namesIn(file)) {
      const found = hostsFor(name, known)
      if (typeof found === "string") {
        problems.push(file.problem(path, found))
        continue
      }
      for (const summary of found) {
        const before = byHost.get(summary.host.id)?.files ?? []
        byHost.set(summary.host.id, { summary, files: before.includes(file) ? before : [...before, file] })
      }
    }
  }
  return { hosts: Array.from(byHost.values()), problems }
}
