import type { OpOutcome } from "@felhom/durable/JournalWords"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import { Context, Effect, Layer, Option } from "effect"
import { line } from "../Telling.ts"

/** A step, by the names that it is told by. */
export interface ToldStep {
  /** `lxc/101`; null: the host itself, or a guest that is not there. */
  readonly subject: string | null
  /** `CT 101 (web): start` */
  readonly words: string
}

/** Why something is not done now. What has the same key is the same news. */
export interface Standing extends ToldStep {
  readonly key: string
  /** The step of the plan that it is about, by its id; none: all of them. */
  readonly step?: string
  readonly kind: "desired.waiting" | "desired.blocked"
  readonly why: string
}

/** Tells of what is done for a desired state, and of what is not. An event is in the durable queue when it answers. */
export class PursuitNews extends Context.Tag("felhom/reconciler/PursuitNews")<PursuitNews, {
  /** It has begun: `task` is its UPID, or the image that a guest is made from. */
  readonly started: (step: ToldStep, task: string) => Effect.Effect<void>
  /** False: the event waits for the hub in memory only, as the disk did not take it, and a restart has to tell it once more. */
  readonly ended: (step: ToldStep, outcome: OpOutcome) => Effect.Effect<boolean>
  /** The same of one that an earlier life ended, unless that has told of it and the hub does not know it yet. */
  readonly endedBefore: (step: ToldStep, outcome: OpOutcome) => Effect.Effect<boolean>
  /** Everything that is not done at present: told is what was not among it before. */
  readonly standing: (all: ReadonlyArray<Standing>) => Effect.Effect<void>
  /** One of them that shows itself later; it stands until `begun`, or until something else holds that step up. */
  readonly heldUp: (one: Standing, step: string) => Effect.Effect<void>
  /** What still holds these steps up of that which showed itself later. Of steps that are not among them nothing is known any more. */
  readonly hindrances: (wanted: ReadonlySet<string>) => Effect.Effect<ReadonlyArray<Standing>>
  /** The step is begun, or is wanted no more: if it is held up again, that is news. */
  readonly begun: (step: string) => Effect.Effect<void>
}>() {}

const ends = {
  finished: { kind: "desired.done", severity: "info" },
  failed: { kind: "desired.failed", severity: "warning" },
  unknown: { kind: "desired.unknown", severity: "critical" }
} as const

/** More at once wait for the next time: a hub's wishes are no reason to flood the queue of events. */
const atOnce = 100

/** Steps that were held up and are wanted no more are forgotten in the end. */
const remembered = 2048

const standingEvent = ({ kind, subject, why, words }: Standing): NewEvent => ({
  kind,
  severity: kind === "desired.blocked" ? "warning" : "info",
  subject,
  message: line(`${kind === "desired.blocked" ? "not done" : "waits"}: ${words}: ${why}`)
})

/** Into the durable queue of events and the log. */
export const make: Effect.Effect<typeof PursuitNews.Service, never, StateFile> = Effect.gen(function*() {
  const state = yield* StateFile
  let stood: ReadonlySet<string> = new Set()
  const heldUp = new Map<string, string>()
  const hindrances = new Map<string, Standing>()

  const tell = (events: ReadonlyArray<NewEvent>): Effect.Effect<void> =>
    events.length === 0 ? Effect.void : Effect.zipRight(
      state.record(events),
      Effect.forEach(
        events,
        (event) =>
          (event.severity === "info" ? Effect.logInfo(event.message) : Effect.logWarning(event.message)).pipe(
            Effect.annotateLogs({ event: event.kind, subject: event.subject })
          ),
        { discard: true }
      )
    )

  const endEvent = ({ subject, words }: ToldStep, { detail, end }: OpOutcome): NewEvent => ({
    ...ends[end],
    subject,
    message: line(`${end === "finished" ? "done" : end}: ${words}${detail === "" ? "" : `: ${detail}`}`)
  })
  // Each write holds all events, so the last one that was written holds these.
  const isKept = Effect.map(state.failure, Option.isNone)

  return PursuitNews.of({
    started: ({ subject, words }, task) =>
      tell([{ kind: "desired.started", severity: "info", subject, message: line(`begun: ${words} (${task})`) }]),
    ended: (step, outcome) => Effect.zipRight(tell([endEvent(step, outcome)]), isKept),
    endedBefore: (step, outcome) =>
      Effect.gen(function*() {
        const event = endEvent(step, outcome)
        const { events } = yield* state.pending
        const told = events.some(({ kind, message, subject }) =>
          kind === event.kind && subject === event.subject && message === event.message
        )
        if (!told) yield* tell([event])
        return yield* isKept
      }),
    standing: (all) =>
      Effect.suspend(() => {
        const fresh = all.filter(({ key }) => !stood.has(key)).slice(0, atOnce)
        const told = new Set(fresh.map(({ key }) => key))
        stood = new Set(all.map(({ key }) => key).filter((key) => stood.has(key) || told.has(key)))
        // What held the step up before is news again when it does after this: the last word is to be the true one.
        for (const { step } of fresh) if (step !== undefined) heldUp.delete(step)
        for (const { step } of all) if (step !== undefined) hindrances.delete(step)
        return tell(fresh.map(standingEvent))
      }),
    heldUp: (one, step) =>
      Effect.suspend(() => {
        hindrances.set(step, one)
        if (heldUp.get(step) === one.key) return Effect.void
        heldUp.set(step, one.key)
        for (const oldest of heldUp.keys()) {
          if (heldUp.size <= remembered) break
          heldUp.delete(oldest)
        }
        return tell([standingEvent(one)])
      }),
    hindrances: (wanted) =>
      Effect.sync(() => {
        for (const step of hindrances.keys()) if (!wanted.has(step)) hindrances.delete(step)
        return [...hindrances.values()]
      }),
    begun: (step) =>
      Effect.sync(() => {
        heldUp.delete(step)
        hindrances.delete(step)
      })
  })
})

export const layer: Layer.Layer<PursuitNews, never, StateFile> = Layer.effect(PursuitNews, make).pipe(
  Layer.ensureRequirementsType<StateFile>()
)
