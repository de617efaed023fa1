import type { HostSummary } from "@felhom/domain/HubApi"
import { humanDuration } from "@felhom/domain/HumanText"
import { type Cell, type Column, renderTable, toned } from "./Table.ts"

/** How much of a host id tells hosts apart in a list; commands take any unique beginning of it. */
export const shortIdLength = 8

const presenceTones = { online: "good", late: "warning", silent: "bad" } as const

/** `online, 12 s ago` */
export const presenceText = ({ lastSeen, presence }: HostSummary, now: number): Cell =>
  toned(presenceTones[presence], `${presence}, ${humanDuration(now - lastSeen)} ago`)

const columns: ReadonlyArray<Column> = [
  { title: "HOST", atMost: 32 },
  { title: "ID" },
  { title: "SEEN" },
  { title: "GUESTS", align: "right" },
  { title: "STORAGES", align: "right" },
  { title: "EVENTS", align: "right" },
  { title: "ATTENTION", atMost: 100 }
]

const counts = (some: number | undefined, all: number | undefined): Cell =>
  some === undefined || all === undefined ? toned("dim", "?") : `${some}/${all}`

const events = ({ events, eventsMissing }: HostSummary): Cell =>
  eventsMissing === 0 ? String(events) : toned("warning", `${events} (${eventsMissing} lost)`)

const attention = ({ attention: [first, ...others] }: HostSummary): Cell =>
  first === undefined
    ? toned("dim", "-")
    : toned("bad", others.length === 0 ? first : `${first} (and ${others.length} more)`)

const row = (summary: HostSummary, now: number): ReadonlyArray<Cell> => [
  toned("strong", summary.host.node),
  summary.host.id.slice(0, shortIdLength),
  presenceText(summary, now),
  counts(summary.guests?.running, summary.guests?.total),
  counts(summary.storages?.active, summary.storages?.total),
  events(summary),
  attention(summary)
]

/** The table of `felhom hosts`, in the hub's order. `now` in milliseconds since the epoch. */
export const renderHosts = (hosts: ReadonlyArray<HostSummary>, now: number, colours: boolean): ReadonlyArray<string> =>
  hosts.length === 0
    ? ["no host has ever reported to this hub"]
    : renderTable(columns, hosts.map((host) => row(host, now)), colours)

/** `2 of 5 hosts need attention`; undefined when none does. */
export const attentionSentence = (hosts: ReadonlyArray<HostSummary>): string | undefined => {
  const needy = hosts.filter(({ attention }) => attention.length > 0).length
  return needy === 0
    ? undefined
    : `${needy} of ${hosts.length} ${hosts.length === 1 ? "host" : "hosts"} ${needy === 1 ? "needs" : "need"} attention`
}

/** `2 hosts wait to be accepted: attic, cellar (felhom waiting)`; undefined when none does. */
export const waitingSentence = (nodes: ReadonlyArray<string>): string | undefined =>
  nodes.length === 0
    ? undefined
    : `${nodes.length} ${nodes.length === 1 ? "host waits" : "hosts wait"} to be accepted: ${
      nodes.join(", ")
    } (felhom waiting)`
