import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostSummary } from "@felhom/domain/HubApi"
import { humanDuration } from "@felhom/domain/HumanText"
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

/** Reasons are often shared: a Proxmox that is away hides everything at once. */
const unreadableSentences = (input: AttentionInput): ReadonlyArray<string> => {
  const byReason = new Map<string, Array<string>>()
  for (const { reason, what } of [...(input.inventory?.unreadable ?? []), ...input.report.unreadable]) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), what])
  }
  return Array.from(byReason, ([reason, whats]) => `${enumerate(whats)} could not be read: ${reason}`)
}

const enumerate = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`

const staleSentence = (input: AttentionInput): ReadonlyArray<string> =>
  input.staleRun < suspiciousRun ? [] : [
    `${input.staleRun} reports in a row were older than what is shown (sequence ${input.staleSequence} after ` +
    `${input.sequence}): was the host's disk set back?`
  ]

/** What needs a person, in sentences, worst first; empty when all is well. */
export const attentionOf = (input: AttentionInput): ReadonlyArray<string> => [
  ...(input.sequence === null
    ? ["has sent nothing but one-off reports (selftest hub): is its daemon running?"]
    : input.presence === "silent"
    ? [`silent for ${humanDuration(input.silence)}`]
    : []),
  ...(input.proxmoxTrouble === null ? [] : [input.proxmoxTrouble]),
  ...unreadableSentences(input),
  ...(input.inventory?.concerns ?? []),
  ...input.report.concerns,
  ...input.critical.map(({ kind, message, subject }) =>
    subject === null ? `${kind}: ${message}` : `${kind} ${subject}: ${message}`
  ),
  ...(input.eventsLost === 0
    ? []
    : [input.eventsLost === 1 ? "1 event was lost" : `${input.eventsLost} events were lost`]),
  ...staleSentence(input)
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
