import type { EpochMillis } from "@felhom/domain/Time"
import type { Upid } from "@felhom/domain/Upid"
import { Either } from "effect"
import type { OpOutcome } from "./JournalWords.ts"
import type { BegunStep, StepCount, StepId, StepRecord } from "./StepRecord.ts"

/** A step whose end has not been told. */
export interface OpenStep extends BegunStep {
  readonly begunAt: EpochMillis
  /** Null until its task is known; some calls have none. */
  readonly upid: Upid | null
  /** Null until it has ended. */
  readonly outcome: (OpOutcome & { readonly at: EpochMillis }) | null
}

/** What this host did of late. Of each kind the last thousand count, which is more than any policy has use for. */
export interface StepCounts {
  /** Guests, by who they are, each with the last time at which one was stopped, started or changed. */
  readonly touched: ReadonlyMap<string, EpochMillis>
  readonly created: ReadonlyArray<EpochMillis>
  readonly grown: ReadonlyArray<{ readonly at: EpochMillis; readonly bytes: number }>
}

export interface StepState {
  readonly steps: ReadonlyMap<StepId, OpenStep>
  readonly counts: StepCounts
}

export const noSteps: StepState = { steps: new Map(), counts: { touched: new Map(), created: [], grown: [] } }

/** As many guests as a desired state can name. */
export const mostCounted = 1024

const lastOf = <A>(list: ReadonlyArray<A>): ReadonlyArray<A> => list.slice(-mostCounted)

const withTouched = (touched: StepCounts["touched"], who: string, at: EpochMillis): StepCounts["touched"] => {
  const others = [...touched].filter(([one]) => one !== who)
  return new Map(lastOf([...others, [who, at] as const]))
}

const counted = (counts: StepCounts, { created, grown, touched }: StepCount, at: EpochMillis): StepCounts => ({
  touched: touched === null ? counts.touched : withTouched(counts.touched, touched, at),
  created: created ? lastOf([...counts.created, at]) : counts.created,
  grown: grown > 0 ? lastOf([...counts.grown, { at, bytes: grown }]) : counts.grown
})

const advanced = (
  open: OpenStep,
  record: Extract<StepRecord, { readonly _tag: "step.started" | "step.ended" }>
): Either.Either<OpenStep, string> => {
  if (open.outcome !== null) return Either.left(`the step ${open.step} has ended and can't be ${record._tag}`)
  if (record._tag === "step.ended") return Either.right({ ...open, outcome: { ...record.outcome, at: record.at } })
  return open.upid === null
    ? Either.right({ ...open, upid: record.upid })
    : Either.left(`the step ${open.step} has its task already`)
}

/** The state after one more record; left when the record can't follow, with why. */
export const stepApplied = (state: StepState, record: StepRecord): Either.Either<StepState, string> => {
  if (record._tag === "step.counted") {
    return Either.right({ ...state, counts: counted(state.counts, record.count, record.at) })
  }
  if (record._tag === "step.begun") {
    const { step } = record
    if (state.steps.has(step.step)) return Either.left(`the step ${step.step} is under way already`)
    const open: OpenStep = { ...step, begunAt: record.at, upid: null, outcome: null }
    return Either.right({
      steps: new Map(state.steps).set(step.step, open),
      counts: counted(state.counts, step.count, record.at)
    })
  }
  const open = state.steps.get(record.step)
  if (open === undefined) return Either.left(`there is no step ${record.step} that could be ${record._tag}`)
  if (record._tag !== "step.told") {
    return Either.map(
      advanced(open, record),
      (next) => ({ ...state, steps: new Map(state.steps).set(record.step, next) })
    )
  }
  if (open.outcome === null) return Either.left(`the step ${record.step} has not ended and can't be told of`)
  const steps = new Map(state.steps)
  steps.delete(record.step)
  return Either.right({ ...state, steps })
}

const nothing: StepCount = { touched: null, created: false, grown: 0 }

const openRecords = ({ begunAt, outcome, upid, ...step }: OpenStep): ReadonlyArray<StepRecord> => [
  // What it counts for stands by itself, as it does for those that are over.
  { _tag: "step.begun", at: begunAt, step: { ...step, count: nothing } },
  ...(upid === null ? [] : [{ _tag: "step.started" as const, step: step.step, upid }]),
  ...(outcome === null
    ? []
    : [{
      _tag: "step.ended" as const,
      at: outcome.at,
      step: step.step,
      outcome: { end: outcome.end, detail: outcome.detail }
    }])
]

/** The fewest records that come to this state. */
export const stepRecordsOf = ({ counts, steps }: StepState): ReadonlyArray<StepRecord> => [
  ...[...counts.touched].map(([touched, at]) => ({
    _tag: "step.counted" as const,
    at,
    count: { ...nothing, touched }
  })),
  ...counts.created.map((at) => ({ _tag: "step.counted" as const, at, count: { ...nothing, created: true } })),
  ...counts.grown.map(({ at, bytes }) => ({
    _tag: "step.counted" as const,
    at,
    count: { ...nothing, grown: bytes }
  })),
  ...[...steps.values()].flatMap(openRecords)
]
