import type { Envelope } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { type Crypto } from "@felhom/domain/port/Crypto"
import type { NodeName } from "@felhom/domain/ProxmoxId"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import type { HubError } from "@felhom/hub-client/HubError"
import type { Observation } from "@felhom/reconciler/Observation"
import { Observer } from "@felhom/reconciler/Observer"
import { advance, type Known, nothingKnown } from "@felhom/reconciler/Transitions"
import { Clock, Effect, Random } from "effect"
import { noDesk, type OpDesk } from "./ops/OpDesk.ts"
import { boundedInterval, boundedPause, defaultIntervalMillis, retryDelay } from "./Pace.ts"
import { makeReport } from "./Report.ts"

/** What the loop carries from one cycle to the next. All of it may be lost in a crash: it is learnt again. */
export interface Memory {
  readonly known: Known
  /** Hash of the inventory that the hub holds. */
  readonly held: Sha256Hex | null
  readonly intervalMillis: number
  /** The hub's state as last seen, and failed tries in a row. */
  readonly hub: "unseen" | "answers" | "away"
  readonly failures: number
  /** When the hub may be tried again, in milliseconds since the epoch. */
  readonly hubDueAt: number
  /** An envelope with parts that this host can't take was told of already. */
  readonly toldOfIgnored: boolean
}

export const freshMemory: Memory = {
  known: nothingKnown,
  held: null,
  intervalMillis: defaultIntervalMillis,
  hub: "unseen",
  failures: 0,
  hubDueAt: 0,
  toldOfIgnored: false
}

/** The host, as far as the loop must know it by itself. */
export interface Host {
  readonly node: NodeName
  readonly bootId: string | null
}

type Services = Observer | HubClient | StateFile | Crypto

/** A hub that says no needs a person; one that does not answer may come back by itself. */
const refusals: ReadonlySet<HubError["reason"]> = new Set([
  "refused-certificate",
  "unauthorized",
  "forbidden",
  "wrong-host"
])

const awayEvent = (error: HubError): NewEvent => ({
  kind: refusals.has(error.reason) ? "hub.refused" : "hub.unreachable",
  severity: "warning",
  subject: null,
  message: error.message
})

const recovered: NewEvent = { kind: "hub.recovered", severity: "info", subject: null, message: "the hub answers again" }

/** What can't be taken here is never dropped in silence. */
const ignoredParts = (envelope: Envelope, desk: OpDesk): ReadonlyArray<string> =>
  desk.takes !== "no" ? [] : [
    ...(envelope.desired === undefined ? [] : ["a desired state"]),
    ...(envelope.ops.length === 0 ? [] : [`${envelope.ops.length} signed op(s)`]),
    ...(envelope.signers.length === 0 ? [] : ["a list of signers"])
  ]

const afterFailure = (memory: Memory, error: HubError): Effect.Effect<Memory, never, StateFile> =>
  Effect.gen(function*() {
    const state = yield* StateFile
    const failures = memory.failures + 1
    const delay = Math.max(
      retryDelay(memory.intervalMillis, failures, yield* Random.next),
      boundedPause(error.retryAfterSeconds)
    )
    if (memory.hub !== "away") yield* state.record([awayEvent(error)])
    yield* Effect.logWarning("the hub did not take the report; its events are kept", error.message).pipe(
      Effect.annotateLogs({ reason: error.reason, failures, nextTrySeconds: Math.round(delay / 1000) })
    )
    return { ...memory, hub: "away", failures, hubDueAt: (yield* Clock.currentTimeMillis) + delay }
  })

const afterAnswer = (
  memory: Memory,
  report: Pick<HostReport, "events" | "inventoryHash">,
  envelope: Envelope,
  desk: OpDesk
): Effect.Effect<Memory, never, StateFile> =>
  Effect.gen(function*() {
    const state = yield* StateFile
    yield* state.acknowledge(envelope.acked, report.events.at(-1)?.seq ?? 0)
    const ignored = ignoredParts(envelope, desk)
    yield* state.record([
      ...(memory.hub === "away" ? [recovered] : []),
      ...(ignored.length === 0 || memory.toldOfIgnored ? [] : [{
        kind: "envelope.ignored" as const,
        severity: "warning" as const,
        subject: null,
        message: `the hub sent ${
          ignored.join(" and ")
        }, which this host can't take: its own stores can't be used (felhom-agent doctor, and its log)`
      }])
    ])
    if (memory.hub !== "answers") yield* Effect.logInfo("the hub takes reports")
    yield* desk.received(envelope)
    return {
      ...memory,
      held: envelope.want === "full" ? null : report.inventoryHash,
      intervalMillis: boundedInterval(envelope.nextReportSeconds),
      hub: "answers",
      failures: 0,
      hubDueAt: 0,
      toldOfIgnored: memory.toldOfIgnored || ignored.length > 0
    }
  })

const exchange = (
  host: Host,
  memory: Memory,
  observed: Observation,
  desk: OpDesk
): Effect.Effect<Memory, never, Services> =>
  Effect.gen(function*() {
    const state = yield* StateFile
    const hub = yield* HubClient
    const { dropped, events } = yield* state.pending
    const trust = yield* desk.trust
    const observation: Observation = {
      ...observed,
      inventory: {
        ...observed.inventory,
        desired: yield* desk.desired,
        ...(trust === null ? {} : { policyHash: trust.policy, hold: trust.hold !== null })
      },
      sections: { ...observed.sections, audit: yield* desk.audit, ...yield* desk.beside }
    }
    const report = yield* makeReport({
      reporter: { ...state.host, ...host },
      observation,
      sequence: yield* state.nextSequence,
      events,
      eventsDropped: dropped,
      held: memory.held,
      trust
    })
    return yield* Effect.matchEffect(hub.exchange(report), {
      onFailure: (error) => afterFailure(memory, error),
      onSuccess: (envelope) =>
        Effect.zipLeft(
          afterAnswer(memory, report, envelope, desk),
          Effect.logDebug("the hub took a report").pipe(
            Effect.annotateLogs({ sequence: report.sequence, events: report.events.length, acked: envelope.acked }),
            // The annotations cost more than all else of a line that is seldom wanted.
            Effect.whenLogLevel("Debug")
          )
        )
    })
  })

const logEvents = (events: ReadonlyArray<NewEvent>) =>
  Effect.forEach(
    events,
    (event) =>
      (event.severity === "info" ? Effect.logInfo(event.message) : Effect.logWarning(event.message)).pipe(
        Effect.annotateLogs({ event: event.kind })
      ),
    { discard: true }
  )

/**
 * One cycle: look, note what happened, tell the hub if it is due, and have done what should be. With Proxmox away that is what is told; with the hub
 * away the look and the notes go on.
 */
export const cycle = (host: Host, memory: Memory, desk: OpDesk = noDesk): Effect.Effect<Memory, never, Services> =>
  Effect.gen(function*() {
    const observer = yield* Observer
    const state = yield* StateFile
    const observation = yield* observer.observe
    const { events, known } = advance(memory.known, observation)
    yield* state.record(events)
    if (events.length > 0) yield* logEvents(events)
    const now = yield* Clock.currentTimeMillis
    const seen = { ...memory, known }
    const after = now < memory.hubDueAt ? seen : yield* exchange(host, seen, observation, desk)
    // Last, so that it goes by what the hub has just brought; with the hub away, by what it brought before.
    yield* desk.pursue(observation)
    return after
  })
