import { Schema } from "effect"
import type { DiskPoint, Judgement } from "./DiskHealth.ts"
import { DiskCounters } from "./DiskReading.ts"
import { HealthKind, HealthState, rankOf } from "./Health.ts"
import { StorageId } from "./ProxmoxId.ts"
import type { SpacePoint } from "./SpaceForecast.ts"
import { EpochMillis } from "./Time.ts"

const Day = Schema.NonNegativeInt

/** What was seen of a thing at the end of a day: what a disk had counted, or how full a storage was. */
export const DayPoint = Schema.Union(
  Schema.Struct({ day: Day, counters: DiskCounters, used: Schema.NullOr(Schema.Number) }),
  Schema.Struct({ day: Day, used: Schema.Number, total: Schema.Number })
)
export type DayPoint = DiskPoint | SpacePoint

/** One thing as the host remembers it between two looks. */
export const KeptSubject = Schema.Struct({
  kind: HealthKind,
  id: Schema.String,
  name: Schema.String,
  state: HealthState,
  since: EpochMillis,
  reasons: Schema.Array(Schema.String),
  storages: Schema.Array(StorageId),
  /** Another state that was seen, not yet often enough; null where the last look saw this one. */
  toward: Schema.NullOr(Schema.Struct({ state: HealthState, seen: Schema.Int.pipe(Schema.positive()) })),
  seenAt: EpochMillis,
  /** In the order of their days. */
  points: Schema.Array(DayPoint)
})
export type KeptSubject = typeof KeptSubject.Type

/** What a host remembers of its health. */
export const HealthBook = Schema.Struct({
  typ: Schema.Literal("felhom/health-book/v1"),
  subjects: Schema.Array(KeptSubject)
})
export type HealthBook = typeof HealthBook.Type

export const emptyBook: HealthBook = { typ: "felhom/health-book/v1", subjects: [] }

/** What one look saw of one thing; `point` where there was something to count. */
export interface Sighting extends Judgement {
  readonly kind: HealthKind
  readonly id: string
  readonly name: string
  readonly storages: ReadonlyArray<StorageId>
  readonly point?: DayPoint
  /** It was there and was left in peace, such as a disk that sleeps: nothing was learnt that is not known. */
  readonly asleep?: boolean
}

/** A change of state that is told. */
export interface HealthChange {
  readonly subject: KeptSubject
  readonly from: HealthState
}

/** How often another state must be seen in a row before it holds: worse sooner than better. */
export const debounce = { worse: 2, better: 4, unknown: 3 } as const

const mostPoints = 60
const mostSubjects = 64
/** What was not seen for so long, in milliseconds, is gone. */
const forgotten = 90 * 86_400_000
const troubled = rankOf("warn")

const needed = (from: HealthState, to: HealthState): number =>
  to === "unknown" ? debounce.unknown : rankOf(to) > rankOf(from)
    ? (rankOf(to) < troubled ? 1 : debounce.worse)
    : debounce.better

/** The milder of two where things get worse, the worse of two where they get better: what all looks of a streak agree on. */
const agreed = (from: HealthState, a: HealthState, b: HealthState): HealthState =>
  rankOf(a) > rankOf(from) === rankOf(a) < rankOf(b) ? a : b

const samePath = (from: HealthState, a: HealthState, b: HealthState): boolean =>
  a === "unknown" || b === "unknown" ? a === b : rankOf(a) > rankOf(from) === rankOf(b) > rankOf(from)

/** One look at a thing after those before it. Trouble is never taken back by a look that saw nothing. */
export const seen = (before: KeptSubject | undefined, now: Sighting, at: EpochMillis): KeptSubject => {
  const own = { kind: now.kind, id: now.id, name: now.name, storages: now.storages, seenAt: at }
  const points = now.point === undefined ? before?.points ?? [] : withPoint(before?.points ?? [], now.point)
  if (before === undefined) {
    const quiet = rankOf(now.state) < troubled
    return {
      ...own,
      state: quiet ? now.state : "unknown",
      since: at,
      reasons: quiet ? now.reasons : ["trouble was seen once, and is looked at again soon", ...now.reasons],
      toward: quiet ? null : { state: now.state, seen: 1 },
      points
    }
  }
  if (now.asleep === true) return { ...before, ...own }
  const { reasons, since, state } = before
  if (now.state === state) return { ...own, state, since, reasons: now.reasons, toward: null, points }
  if (now.state === "unknown" && rankOf(state) >= troubled) {
    return { ...own, state, since, reasons, toward: before.toward, points }
  }
  const streak = before.toward !== null && samePath(state, before.toward.state, now.state)
    ? { state: agreed(state, before.toward.state, now.state), seen: before.toward.seen + 1 }
    : { state: now.state, seen: 1 }
  return streak.seen >= needed(state, streak.state)
    ? { ...own, state: streak.state, since: at, reasons: now.reasons, toward: null, points }
    : { ...own, state, since, reasons, toward: streak, points }
}

const withPoint = (points: ReadonlyArray<DayPoint>, point: DayPoint): ReadonlyArray<DayPoint> =>
  // A clock that was set back does not undo the days that it had been on.
  [...points.filter(({ day }) => day !== point.day), point].toSorted((a, b) => a.day - b.day).slice(-mostPoints)

const keyOf = ({ id, kind }: Pick<KeptSubject, "id" | "kind">): string => `${kind} ${id}`

/** A whole look after those before it: the book that is kept then, and what changed. What was not looked at stays as it was. */
export const looked = (
  book: HealthBook,
  sightings: ReadonlyArray<Sighting>,
  at: EpochMillis
): { readonly book: HealthBook; readonly changes: ReadonlyArray<HealthChange> } => {
  const before = new Map(book.subjects.map((subject) => [keyOf(subject), subject]))
  const after = new Map(before)
  for (const sighting of sightings) after.set(keyOf(sighting), seen(after.get(keyOf(sighting)), sighting, at))
  const kept = Array.from(after.values())
    .filter(({ seenAt }) => at - seenAt < forgotten)
    .toSorted((a, b) => b.seenAt - a.seenAt)
    .slice(0, mostSubjects)
  return {
    book: { typ: emptyBook.typ, subjects: kept },
    changes: kept.flatMap((subject) => {
      const from = before.get(keyOf(subject))?.state ?? "unknown"
      return from === subject.state ? [] : [{ subject, from }]
    })
  }
}

/** Whether something was seen that is not yet believed: then the next look comes sooner. */
export const inDoubt = (book: HealthBook): boolean =>
  book.subjects.some(({ toward }) => toward !== null && rankOf(toward.state) >= troubled)
