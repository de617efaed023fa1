import type { HostReport } from "@felhom/domain/HostReport"
import { isHostsWord, type OpState, opStateOfEvent, type OpSummary } from "@felhom/domain/OpsApi"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import type { EpochMillis } from "@felhom/domain/Time"
import { Effect, Option } from "effect"
import { HubOps } from "./HubOps.ts"
import { KnownHosts } from "./KnownHosts.ts"
import type { OperatorError } from "./OperatorError.ts"
import { verified } from "./SignedHost.ts"

/** Whose word it is that an op has come so far. */
export type Word =
  /** It stands in a report that the host signed. `at` by the host's clock. */
  | { readonly by: "host"; readonly at: EpochMillis; readonly report: number | null }
  /** Nobody but the hub says so, and `why` it can't be known from the host. */
  | { readonly by: "hub"; readonly why: string }
  /** The hub shows something as the host's word that is not. */
  | { readonly by: "forger"; readonly why: string }
  /** It waits at the hub or expired there: the host has nothing to say of it. */
  | { readonly by: "nobody" }

/** An op with how far it has come: by the host's own word where there is one, else by the hub's. */
export interface ToldOp {
  readonly summary: OpSummary
  readonly state: OpState
  readonly message: string | null
  readonly word: Word
}

const said = (summary: OpSummary, word: Word): ToldOp => ({
  summary,
  state: summary.state,
  message: summary.message,
  word
})

/** What a report of the host says last of an op. */
const lastOf = ({ events }: HostReport, op: string) =>
  events.flatMap((event) => {
    const state = opStateOfEvent(event.kind)
    return state !== undefined && event.subject === op ? [{ ...event, state }] : []
  }).toSorted((a, b) => b.seq - a.seq)[0]

const judged = (summary: OpSummary, report: HostReport, digest: string): ToldOp => {
  const forged = (why: string) => said(summary, { by: "forger", why })
  if (report.host.id !== summary.host) {
    return forged(`the report that the hub shows for it is of another host, ${report.host.id}`)
  }
  const event = lastOf(report, summary.op)
  if (event === undefined) {
    return forged("the report that the hub shows for it is the host's own, and does not speak of it")
  }
  // A hub that was asked a moment later may know more by then, and shows a later report.
  if (event.state !== summary.state && summary.report === digest) {
    return {
      summary,
      state: event.state,
      message: event.message,
      word: { by: "forger", why: `the hub says ${summary.state}, and the host says ${event.state}` }
    }
  }
  return {
    summary,
    state: event.state,
    message: event.message,
    word: { by: "host", at: event.at, report: report.sequence }
  }
}

/** Holds the hub's list against what the hosts signed (protocol 1): the same report is asked for and verified once. */
export const toldOps = (
  summaries: ReadonlyArray<OpSummary>
): Effect.Effect<ReadonlyArray<ToldOp>, OperatorError, HubOps | KnownHosts | Crypto | Ed25519> =>
  Effect.gen(function*() {
    const hub = yield* HubOps
    const hosts = yield* KnownHosts
    const seen = new Map<string, { readonly report: HostReport; readonly digest: string }>()

    const told = (summary: OpSummary) =>
      Effect.gen(function*() {
        if (!isHostsWord(summary.state)) return said(summary, { by: "nobody" })
        const key = hosts.find(summary.host)
        if (Option.isNone(key)) {
          return said(summary, { by: "hub", why: "the host's key is not known here (felhom trust HOST)" })
        }
        const name = `${summary.host} ${summary.report}`
        const same = seen.get(name)
        if (same !== undefined) return judged(summary, same.report, same.digest)
        const found = yield* hub.report(summary.host, summary.op)
        if (Option.isNone(found)) {
          return said(summary, { by: "hub", why: "the hub has no report to show in which the host signed it" })
        }
        return yield* Effect.match(verified(found.value, key.value), {
          onFailure: ({ message }) =>
            said(summary, { by: "forger", why: `the report that the hub shows for it: ${message}` }),
          onSuccess: ({ digest, report }) => {
            if (digest === summary.report) seen.set(name, { digest, report })
            return judged(summary, report, digest)
          }
        })
      })

    return yield* Effect.forEach(summaries, told)
  })

/** Why a word is not the host's, in a sentence; none when it is, or when the host has nothing to say. */
export const doubt = ({ word }: ToldOp): Option.Option<string> => {
  switch (word.by) {
    case "host":
    case "nobody":
      return Option.none()
    case "hub":
      return Option.some(`only the hub says so: ${word.why}`)
    case "forger":
      return Option.some(`NOT THE HOST'S WORD: ${word.why}. Ask who runs the hub, and look at the host itself`)
  }
}
