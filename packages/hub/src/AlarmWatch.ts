import type { Notice } from "@felhom/domain/AlarmApi"
import { Crypto } from "@felhom/domain/port/Crypto"
import { version } from "@felhom/domain/Version"
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import { AlarmBook } from "./AlarmBook.ts"
import { judgeAlarms, memoryMillis, type Sight, type Symptom, type Verdict } from "./AlarmJudgement.ts"
import { Database } from "./Database.ts"
import { ExpectedHosts } from "./ExpectedHosts.ts"
import { HostJudge, type JudgedHost } from "./HostJudge.ts"
import { HubSettings } from "./HubSettings.ts"
import { HubUptime } from "./HubUptime.ts"
import { noticeOf, type NoticeSender } from "./NoticeText.ts"
import { Outbox } from "./Outbox.ts"
import { StoreEpoch } from "./StoreEpoch.ts"
import type { StoreError } from "./StoreError.ts"

/** Looks at all hosts, compares with what was told, and has people told of what changed. */
export class AlarmWatch extends Context.Tag("felhom/hub/AlarmWatch")<AlarmWatch, {
  /** One look. */
  readonly look: Effect.Effect<void, StoreError>
  /** Who the notices are from. */
  readonly sender: NoticeSender
}>() {}

/** How often the hub looks, and tries what is to be delivered. */
const lookEvery = "10 seconds"
const deliverEvery = "5 seconds"
const tidyEvery = "1 hour"

/** The least and the most that a cause is waited on for more hosts to come under it, in milliseconds. */
const gatherAtLeast = 60_000
const gatherAtMost = 900_000

/**
 * Hosts that go silent at one moment are noticed over the length of an interval, a tenth of which they move by: so long is
 * waited, to tell of them in one message.
 */
const gatherOf = (intervalSeconds: number): number =>
  Math.min(gatherAtMost, Math.max(gatherAtLeast, intervalSeconds * 1_200))

const symptomsOf = ({ concerns, summary: { host } }: JudgedHost): ReadonlyArray<Symptom> =>
  concerns.map((concern) => ({ ...concern, host: host.id, node: host.node }))

/** Of a silent host nothing is new but its silence and what the hub itself noticed. */
const ofSilence = new Set(["silent", "unsigned", "forged", "twins"])

const heard = ({ summary }: JudgedHost): boolean => summary.presence !== "silent" || summary.retiredAt !== null

const make = (name: string) =>
  Effect.gen(function*() {
    const { write } = yield* Database
    const judge = yield* HostJudge
    const expected = yield* ExpectedHosts
    const book = yield* AlarmBook
    const outbox = yield* Outbox
    const uptime = yield* HubUptime
    const crypto = yield* Crypto
    const settings = yield* HubSettings
    const sender: NoticeSender = { name, version, storeEpoch: yield* StoreEpoch }

    const statementsOf = (verdict: Verdict, before: Sight, fleet: number) =>
      Effect.gen(function*() {
        const { alarm, tell } = verdict
        const unchanged = before.open.some((open) => JSON.stringify(open) === JSON.stringify(alarm))
        const notices: Array<Notice> = tell === null
          ? []
          : [noticeOf({ alarm, tell }, yield* crypto.randomHex(16), sender, fleet, before.now)]
        yield* Effect.forEach(
          notices,
          ({ kind, title }) => Effect.logWarning(title).pipe(Effect.annotateLogs({ alarm: alarm.id, kind }))
        )
        return [
          ...(unchanged ? [] : book.keep(alarm)),
          ...notices.flatMap((notice) => outbox.queue(notice, before.now))
        ]
      })

    const look = book.alone(Effect.gen(function*() {
      yield* uptime.beat
      const now = yield* Clock.currentTimeMillis
      const hosts = yield* judge.all
      const unreported = yield* expected.symptoms
      const silent = hosts.filter((host) => !heard(host))
      const inService = hosts.filter(({ summary }) => summary.retiredAt === null)
      const sight: Sight = {
        now,
        open: yield* book.open,
        symptoms: [
          ...hosts.flatMap((host) => symptomsOf(host).filter(({ cause }) => heard(host) || ofSilence.has(cause))),
          ...unreported
        ],
        unheard: new Set(silent.map(({ summary }) => summary.host.id)),
        recent: yield* book.recent(now - memoryMillis),
        nextId: yield* book.nextId,
        gatherMillis: gatherOf(settings.reportIntervalSeconds)
      }
      const statements = yield* Effect.forEach(
        judgeAlarms(sight),
        (verdict) => statementsOf(verdict, sight, inService.length)
      )
      if (statements.flat().length > 0) yield* write(statements.flat())
    }))

    return AlarmWatch.of({ look, sender })
  })

type Needs =
  | Database
  | HostJudge
  | ExpectedHosts
  | AlarmBook
  | Outbox
  | HubUptime
  | Crypto
  | HubSettings
  | StoreEpoch

/** `name` is what the hub is called in notices. */
export const layer = (name: string): Layer.Layer<AlarmWatch, never, Needs> =>
  Layer.effect(AlarmWatch, make(name)).pipe(Layer.ensureRequirementsType<Needs>())

/** What fails is told in the log and done again at the next turn: a watch that ended would be a broken alarm. */
const survived = (what: string) => <A, R>(effect: Effect.Effect<A, StoreError, R>): Effect.Effect<void, never, R> =>
  Effect.catchAllCause(Effect.asVoid(effect), (cause) => Effect.logError(`${what} failed; it is done again`, cause))

/** The watch and the deliveries, for as long as the hub runs. */
export const running: Layer.Layer<never, never, AlarmWatch | Outbox | AlarmBook> = Layer.scopedDiscard(
  Effect.gen(function*() {
    const { look } = yield* AlarmWatch
    const outbox = yield* Outbox
    const book = yield* AlarmBook
    const every = (
      name: string,
      effect: Effect.Effect<void, StoreError>,
      interval: typeof lookEvery | typeof deliverEvery | typeof tidyEvery
    ) => Effect.forkScoped(Effect.repeat(survived(name)(effect), Schedule.spaced(interval)))
    yield* every("the look at all hosts", look, lookEvery)
    yield* every("the delivery of notices", outbox.deliver, deliverEvery)
    yield* every("the tidying of alarms", Effect.zipRight(outbox.tidy, book.prune), tidyEvery)
  })
)
