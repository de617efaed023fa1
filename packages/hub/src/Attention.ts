import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostSummary } from "@felhom/domain/HubApi"
import { humanDuration } from "@felhom/domain/HumanText"
import { type Concern, critical, warning } from "./Concern.ts"
import type { InventoryFacts, ReportFacts } from "./HostFacts.ts"

export interface AttentionInput {
  readonly presence: HostSummary["presence"]
  /** Milliseconds since the last report. */
  readonly silence: number
  /** Null while the host has sent one-off reports only. */
  readonly sequence: number | null
  readonly inventory: InventoryFacts | null
  readonly report: ReportFacts
  readonly proxmoxTrouble: string | null
  readonly stateTrouble: string | null
  /** How far the host's clock was ahead of the hub's when its last report came, in milliseconds; less than nothing: behind. */
  readonly clockAhead: number
  /** Another host with the same node name, which came after this one had fallen silent. */
  readonly successor: string | null
  /** It was retired, and has reported since. */
  readonly retiredAndReports: boolean
  /** Events that were found missing within the last day. */
  readonly eventsLost: number
  /** Critical events of the last day, oldest first. */
  readonly critical: ReadonlyArray<Pick<HostEvent, "kind" | "subject" | "message">>
  /** How many reports in a row were older than the one that is shown, and the sequence of the last of them. */
  readonly staleRun: number
  readonly staleSequence: number | null
}

/** A lost answer makes an agent send a report again; more than that in a row is no accident. */
const suspiciousRun = 3

/** From here on a clock is wrong: what is signed for a time would be refused (protocol 5). */
const clockTolerance = 120_000

/** Reasons are often shared: a Proxmox that is away hides everything at once. */
const unreadableSentences = (input: AttentionInput): ReadonlyArray<string> => {
  const byReason = new Map<string, Array<string>>()
  for (const { reason, what } of [...(input.inventory?.unreadable ?? []), ...input.report.unreadable]) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), what])
  }
  return Array.from(byReason, ([reason, whats]) =>
    // What was said of Proxmox need not be said again of all that it hides.
    input.proxmoxTrouble?.includes(reason) === true
      ? `${enumerate(whats)} can't be read meanwhile`
      : `${enumerate(whats)} could not be read: ${reason}`)
}

const enumerate = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`

const units = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]] as const

const inWords = (milliseconds: number): string => {
  const [unit, size] = units.find(([, size]) => milliseconds >= size) ?? ["minute", 60_000]
  const count = Math.floor(milliseconds / size)
  return `${count} ${unit}${count === 1 ? "" : "s"}`
}

const silenceConcern = ({ presence, sequence, silence, successor }: AttentionInput): ReadonlyArray<Concern> => {
  if (sequence === null) {
    return [
      warning("one-off", "has sent nothing but one-off reports (selftest hub): is its daemon running?")
    ]
  }
  if (presence !== "silent") return []
  const heir = successor === null
    ? ""
    : `; another host of this name reports since (${successor}): if this one was installed anew, felhom retire it`
  return [critical("silent", `silent for ${humanDuration(silence)}${heir}`)]
}

const clockConcern = ({ clockAhead }: AttentionInput): ReadonlyArray<Concern> =>
  Math.abs(clockAhead) <= clockTolerance ? [] : [
    warning("clock", `its clock is ${inWords(Math.abs(clockAhead))} ${clockAhead > 0 ? "ahead" : "behind"}`)
  ]

/** What hides behind a Proxmox that does not answer has that as its cause. */
const proxmoxConcerns = (input: AttentionInput): ReadonlyArray<Concern> => {
  const hidden = unreadableSentences(input)
  return input.proxmoxTrouble === null
    ? hidden.map((sentence) => critical("unreadable", sentence))
    : [input.proxmoxTrouble, ...hidden].map((sentence) => critical("proxmox", sentence))
}

const eventConcerns = (input: AttentionInput): ReadonlyArray<Concern> =>
  input.critical.map(({ kind, message, subject }) =>
    subject === null
      ? critical(`event ${kind}`, `${kind}: ${message}`)
      : critical(`event ${kind} ${subject}`, `${kind} ${subject}: ${message}`)
  )

const lossConcern = ({ eventsLost }: AttentionInput): ReadonlyArray<Concern> =>
  eventsLost === 0
    ? []
    : [warning("events.lost", eventsLost === 1 ? "1 event was lost" : `${eventsLost} events were lost`)]

const staleConcern = (input: AttentionInput): ReadonlyArray<Concern> =>
  input.staleRun < suspiciousRun ? [] : [
    critical(
      "set-back",
      `${input.staleRun} reports in a row were older than what is shown (sequence ${input.staleSequence} after ` +
        `${input.sequence}): was the host's disk set back?`
    )
  ]

/** What needs a person, worst first; empty when all is well. */
export const concernsOf = (input: AttentionInput): ReadonlyArray<Concern> => [
  ...(input.retiredAndReports
    ? [warning("retired", "was retired and reports all the same: felhom retire --undo, or stop its agent")]
    : []),
  ...silenceConcern(input),
  ...proxmoxConcerns(input),
  ...(input.stateTrouble === null ? [] : [critical("state", input.stateTrouble)]),
  ...(input.inventory?.concerns ?? []).filter(({ cause }) => !input.report.covered.includes(cause)),
  ...input.report.concerns,
  ...clockConcern(input),
  ...eventConcerns(input),
  ...lossConcern(input),
  ...staleConcern(input)
]

/**
 * What a host's events say of its Proxmox VE, as one sentence; null when the last word was good. `before` is what held before
 * these events, which are in their order.
 */
export const proxmoxTrouble = (before: string | null, events: ReadonlyArray<HostEvent>): string | null =>
  events.reduce<string | null>((trouble, event) => {
    switch (event.kind) {
      case "proxmox.refused":
        return `Proxmox refused: ${event.message}`
      case "proxmox.unreachable":
        return `Proxmox does not answer: ${event.message}`
      case "proxmox.recovered":
      case "agent.started":
        return null
      default:
        return trouble
    }
  }, before)

/**
 * The same for whether the agent can keep its state on disk. An agent that is started with its disk still full says so again.
 */
export const stateTrouble = (before: string | null, events: ReadonlyArray<HostEvent>): string | null =>
  events.reduce<string | null>((trouble, event) => {
    switch (event.kind) {
      case "state.unwritable":
        return event.message
      case "state.recovered":
      case "agent.started":
        return null
      default:
        return trouble
    }
  }, before)
