import type { OpId } from "@felhom/domain/OpId"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { EpochMillis } from "@felhom/domain/Time"
import type { Upid } from "@felhom/domain/Upid"
import { Either } from "effect"
import type { AcceptedOp, JournalRecord, MadeObject } from "./JournalRecord.ts"
import type { IntendedCall, OpOutcome } from "./JournalWords.ts"
import type { MakingRecord } from "./MakingRecord.ts"
import { makingApplied, makingRecordsOf, type Makings } from "./MakingState.ts"
import type { StepRecord } from "./StepRecord.ts"
import { noSteps, stepApplied, stepRecordsOf, type StepState } from "./StepState.ts"

/** A call of an op: `upid` is null until the task's was written down, and stays so where there was none. */
export interface JournalledCall extends IntendedCall {
  readonly at: EpochMillis
  readonly upid: Upid | null
}

/** An op that has not ended, or whose end has not been reported. */
export interface OpenOp extends AcceptedOp {
  readonly acceptedAt: EpochMillis
  /**
   * `accepted`: nothing was called yet. `intent`: a call may have been made, nobody knows. `started`: its task is known.
   * `ended`: the outcome only waits to be reported.
   */
  readonly stage: "accepted" | "intent" | "started" | "ended"
  /** In the order in which they were made. */
  readonly calls: ReadonlyArray<JournalledCall>
  /** Null until it has ended. */
  readonly outcome: (OpOutcome & { readonly at: EpochMillis }) | null
}

/** What this agent made and has not removed. */
export interface Made {
  readonly object: MadeObject
  /** The awaited task that made it. */
  readonly upid: Upid
  /** Its removal was asked for, or was about to be. */
  readonly removing: boolean
}

/** What the journal's records come to. Maps keep the order in which things were begun. */
export interface JournalState {
  readonly ops: ReadonlyMap<OpId, OpenOp>
  readonly made: ReadonlyMap<string, Made>
  /** The last ops that are over and reported, oldest first: the same bytes may come again, and are no news. */
  readonly past: ReadonlySet<OpId>
  /** What is done for a desired state, and what counts against the host's caps. */
  readonly pursuit: StepState
  /** Guests that were made for a desired state. */
  readonly makings: Makings
}

export const emptyJournal: JournalState = {
  ops: new Map(),
  made: new Map(),
  past: new Set(),
  pursuit: noSteps,
  makings: new Map()
}

/** More than a host takes on in the days that one op can be good for. */
export const pastKept = 1000

const withPast = (past: ReadonlySet<OpId>, op: OpId): ReadonlySet<OpId> => new Set([...past, op].slice(-pastKept))

/** `lxc/9999 snapshot felhom-selftest`, or `lxc/9999 <identity>`. */
export const formatMade = (object: MadeObject): string =>
  "snapshot" in object
    ? `${formatGuestRef(object.guest)} snapshot ${object.snapshot}`
    : `${formatGuestRef(object.guest)} <${object.identity}>`

type OpRecord = Exclude<JournalRecord, StepRecord | MakingRecord>
type Step = Exclude<OpRecord["_tag"], "accepted" | "past" | "made" | "removing" | "gone">

// `intent` does not follow `intent`: what may have been sent is never sent again (protocol 5).
const allowed: { readonly [step in Step]: ReadonlyArray<OpenOp["stage"]> } = {
  intent: ["accepted", "started"],
  started: ["intent"],
  ended: ["accepted", "intent", "started"],
  reported: ["ended"]
}

const without = <K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> => {
  const copy = new Map(map)
  copy.delete(key)
  return copy
}

const advanced = (op: OpenOp, record: Extract<JournalRecord, { _tag: "intent" | "started" | "ended" }>): OpenOp => {
  switch (record._tag) {
    case "intent":
      return { ...op, stage: "intent", calls: [...op.calls, { ...record.call, at: record.at, upid: null }] }
    case "started":
      return {
        ...op,
        stage: "started",
        calls: op.calls.map((call, index) => index === op.calls.length - 1 ? { ...call, upid: record.upid } : call)
      }
    case "ended":
      return { ...op, stage: "ended", outcome: { ...record.outcome, at: record.at } }
  }
}

const opApplied = (state: JournalState, record: OpRecord): Either.Either<JournalState, string> => {
  if (record._tag === "accepted") {
    const { op } = record.op
    if (state.ops.has(op) || state.past.has(op)) return Either.left(`op ${op} was accepted before`)
    const fresh: OpenOp = { ...record.op, acceptedAt: record.at, stage: "accepted", calls: [], outcome: null }
    return Either.right({ ...state, ops: new Map(state.ops).set(op, fresh) })
  }
  if (record._tag === "past") return Either.right({ ...state, past: withPast(state.past, record.op) })
  if (record._tag === "made" || record._tag === "removing" || record._tag === "gone") {
    const key = formatMade(record.object)
    if (record._tag === "made") {
      const made: Made = { object: record.object, upid: record.upid, removing: false }
      return Either.right({ ...state, made: new Map(state.made).set(key, made) })
    }
    const held = state.made.get(key)
    if (held === undefined) return Either.left(`there is no record of ${key}`)
    const made = record._tag === "gone"
      ? without(state.made, key)
      : new Map(state.made).set(key, { ...held, removing: true })
    return Either.right({ ...state, made })
  }
  const op = state.ops.get(record.op)
  if (op === undefined) return Either.left(`there is no op ${record.op} that could be ${record._tag}`)
  if (!allowed[record._tag].includes(op.stage)) {
    return Either.left(`op ${record.op} is ${op.stage} and can't be ${record._tag}`)
  }
  return Either.right(
    record._tag === "reported"
      ? { ...state, ops: without(state.ops, record.op), past: withPast(state.past, record.op) }
      : { ...state, ops: new Map(state.ops).set(record.op, advanced(op, record)) }
  )
}

const isStep = (record: JournalRecord): record is StepRecord => record._tag.startsWith("step.")
const isMaking = (record: JournalRecord): record is MakingRecord => record._tag.startsWith("making.")

/** The state after one more record; left when the record can't follow, with why. */
export const applied = (state: JournalState, record: JournalRecord): Either.Either<JournalState, string> => {
  if (isStep(record)) return Either.map(stepApplied(state.pursuit, record), (pursuit) => ({ ...state, pursuit }))
  if (isMaking(record)) return Either.map(makingApplied(state.makings, record), (makings) => ({ ...state, makings }))
  return opApplied(state, record)
}

const callRecords = (op: OpId) => (call: JournalledCall): ReadonlyArray<JournalRecord> => {
  const { at, upid, ...intended } = call
  const intent: JournalRecord = { _tag: "intent", at, op, call: intended }
  return upid === null ? [intent] : [intent, { _tag: "started", at, op, upid }]
}

const opRecords = (open: OpenOp): ReadonlyArray<JournalRecord> => {
  const { acceptedAt, action, calls, document, expires, op, outcome, source, subject } = open
  const ended: ReadonlyArray<JournalRecord> = outcome === null
    ? []
    : [{ _tag: "ended", at: outcome.at, op, outcome: { end: outcome.end, detail: outcome.detail } }]
  return [
    { _tag: "accepted", at: acceptedAt, op: { op, source, action, subject, expires, document } },
    ...calls.flatMap(callRecords(op)),
    ...ended
  ]
}

/** The fewest records that come to this state. */
export const recordsOf = (state: JournalState): ReadonlyArray<JournalRecord> => [
  ...[...state.made.values()].flatMap(({ object, removing, upid }): ReadonlyArray<JournalRecord> => [
    { _tag: "made", object, upid },
    ...(removing ? [{ _tag: "removing" as const, object }] : [])
  ]),
  ...[...state.past].map((op) => ({ _tag: "past" as const, op })),
  ...[...state.ops.values()].flatMap(opRecords),
  ...stepRecordsOf(state.pursuit),
  ...makingRecordsOf(state.makings)
]
