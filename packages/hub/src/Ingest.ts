import { type Envelope, envelopeType } from "@felhom/domain/Envelope"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostReport } from "@felhom/domain/HostReport"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { proxmoxTrouble, stateTrouble } from "./Attention.ts"
import { Database } from "./Database.ts"
import { acknowledge, type EventLedger, missingEvents, resumed, withDropped } from "./EventLedger.ts"
import { formerEpochsText, isOver, Oldest, oldestText, pruneText, Surplus, surplusText } from "./EventRetention.ts"
import { endedTexts } from "./HistoryKeeping.ts"
import { inventoryFacts, reportFacts } from "./HostFacts.ts"
import { HubSettings } from "./HubSettings.ts"
import {
  type Books,
  booksText,
  eventBody,
  eventText,
  Held,
  heldText,
  hostText,
  latestTexts,
  type Received,
  selftestTexts,
  staleText
} from "./IngestStatements.ts"
import * as KeyedTurns from "./KeyedTurns.ts"
import type { LastReport } from "./LastReports.ts"
import * as LastReports from "./LastReports.ts"
import type { SqlText } from "./StoreConnection.ts"
import { type StoreChanged, StoreError } from "./StoreError.ts"
import type { StoreStamp } from "./StoreWriter.ts"
import { type Trend, withReport } from "./Trend.ts"

/**
 * Takes reports in. A report may come twice, late or out of order: events are stored once by (host, epoch, number), and only
 * a higher sequence replaces what is shown. All of one report is stored in one transaction before the envelope says so.
 */
export class Ingest extends Context.Tag("felhom/hub/Ingest")<Ingest, {
  /** `packed` is the report as it came, gzipped, and `signature` its host's armored SSHSIG, if it signed: both are kept. */
  readonly accept: (report: HostReport, packed: Uint8Array, signature?: string) => Effect.Effect<Envelope, StoreError>
  /** The same of a report that was let in on the word of remembered values, of a store with this stamp. */
  readonly acceptIfUnchanged: (
    stamp: StoreStamp,
    report: HostReport,
    packed: Uint8Array,
    signature?: string
  ) => Effect.Effect<Envelope, StoreError | StoreChanged>
}>() {}

const Seq = Schema.Struct({ seq: Schema.Int })

/** Whether a report becomes what is shown, is a one-off, or is older than what is shown already. */
type Standing = "newest" | "one-off" | "old"

const standingOf = (report: HostReport, held: Held): Standing => {
  if (report.sequence === null) return "one-off"
  if (held.hostEpoch === null || held.sequence === null) return "newest"
  // An epoch that was there before the present one never comes back but with reports that were long under way.
  if (held.hostEpoch !== report.host.epoch) return held.acked === null ? "newest" : "old"
  return report.sequence > held.sequence ? "newest" : "old"
}

/** Puts what follows from a report onto the disk. */
type Store<E> = (texts: ReadonlyArray<SqlText>) => Effect.Effect<ReadonlyArray<number>, StoreError | E>

/** A report that changes nothing of what is shown. */
const nothingShown: { readonly texts: ReadonlyArray<SqlText>; readonly trend: Trend | null } = {
  texts: [],
  trend: null
}

/** The same event may stand in one report twice only by a mistake of its sender; one of them is enough. */
const ordered = (events: ReadonlyArray<HostEvent>): ReadonlyArray<HostEvent> =>
  Array.from(new Map(events.map((event) => [event.seq, event])).values()).sort((a, b) => a.seq - b.seq)

const booksOf = (held: Held): Books => ({ ...held, acked: held.acked ?? 0 })

const make = Effect.gen(function*() {
  const { path, readText, writeTexts, writeTextsIfUnchanged } = yield* Database
  const settings = yield* HubSettings
  // No other report of a host may come between reading what is held of it and writing what follows from that.
  const turns = yield* KeyedTurns.make
  const last = LastReports.make()

  const storedNumbers = (
    { epoch, id }: HostReport["host"],
    { acked, prunedThrough }: Books,
    wanted: ReadonlyArray<number>
  ) =>
    Effect.map(
      readText(Seq, {
        sql: `SELECT seq FROM event WHERE host_id = ? AND epoch = ?
          AND (seq > ? OR seq IN (SELECT value FROM json_each(?)))`,
        parameters: [id, epoch, acked, JSON.stringify(wanted)]
      }),
      // What was pruned was stored once.
      (rows) => new Set([...rows.map(({ seq }) => seq), ...wanted.filter((seq) => seq <= prunedThrough)])
    )

  /** The epoch's books after these events, and those of them that are new. */
  const settle = (
    report: HostReport,
    before: Books,
    events: ReadonlyArray<HostEvent>,
    standing: Standing,
    now: number
  ) =>
    Effect.gen(function*() {
      const held: EventLedger = standing === "newest" ? withDropped(before, report.eventsDropped) : before
      const numbers = events.map(({ seq }) => seq)
      const [oldest] = numbers
      const stored = yield* storedNumbers(report.host, before, numbers)
      const resumes = before.restored === 1 && standing === "newest" && oldest !== undefined
      const { forgotten, ledger } = resumes
        ? resumed(held, Array.from(stored), oldest)
        : { forgotten: 0, ledger: held }
      const added = events.filter(({ seq }) => !stored.has(seq))
      const pending = [...stored, ...added.map(({ seq }) => seq)].filter((seq) => seq > ledger.acked).sort((a, b) =>
        a - b
      )
      const after = acknowledge(ledger, pending, added.map(({ seq }) => seq))
      const unseen = events.filter(({ seq }) => seq > before.max)
      const books: Books = {
        ...before,
        ...after,
        gapAt: missingEvents(after) > missingEvents(before) ? now : before.gapAt,
        proxmoxTrouble: proxmoxTrouble(before.proxmoxTrouble, unseen),
        stateTrouble: stateTrouble(before.stateTrouble, unseen),
        restored: resumes ? 0 : before.restored,
        beforeRestore: before.beforeRestore + forgotten,
        bytes: added.reduce((sum, event) => sum + Buffer.byteLength(eventBody(event)), before.bytes)
      }
      return { books, added }
    })

  /** Takes old events out where there are too many; only when new ones come, and never one that is not acknowledged. */
  const pruned = ({ epoch, id }: HostReport["host"], books: Books, now: number) =>
    Effect.gen(function*() {
      const [oldest] = yield* readText(Oldest, oldestText(id, epoch))
      const nothing: { readonly books: Books; readonly texts: ReadonlyArray<SqlText> } = { books, texts: [] }
      if (!isOver(books, oldest?.receivedAt, now)) return nothing
      const [surplus] = yield* readText(Surplus, surplusText(id, epoch, books, now))
      if (surplus === undefined || surplus.through === null) return nothing
      const { bytes, through } = surplus
      return {
        books: { ...books, prunedThrough: Math.max(books.prunedThrough, through), bytes: books.bytes - bytes },
        texts: [pruneText(id, epoch, through), formerEpochsText(id, epoch, now)]
      }
    })

  const eventTexts = (report: HostReport, held: Held, standing: Standing, now: number) =>
    Effect.gen(function*() {
      const before = booksOf(held)
      const isQuiet = report.events.length === 0 && (standing === "old" || report.eventsDropped === held.droppedNow)
      if (isQuiet) return { acked: before.acked, texts: held.acked === null ? [booksText(report, before, now)] : [] }
      const { added, books: settled } = yield* settle(report, before, ordered(report.events), standing, now)
      const { books, texts } = added.length === 0
        ? { books: settled, texts: [] }
        : yield* pruned(report.host, settled, now)
      return {
        acked: books.acked,
        texts: [...texts, ...added.map((event) => eventText(report, event, now)), booksText(report, books, now)]
      }
    })

  const shownOf = (report: HostReport, trend: Trend | null) => ({
    promisedSeconds: settings.reportIntervalSeconds,
    inventory: report.inventory === null ? null : inventoryFacts(report.inventory),
    facts: reportFacts(report.samples, report.sections),
    trend
  })

  const shownTexts = (report: HostReport, held: Held, received: Received, now: number) =>
    Effect.gen(function*() {
      const { ended, trend } = report.sequence === null
        ? { ended: null, trend: null }
        : withReport(held.trend, report, now)
      const texts = [
        hostText(report, shownOf(report, trend), now),
        ...latestTexts(report, received, held.hasInventory === 1, now),
        ...(ended === null ? [] : yield* endedTexts(readText, report.host.id, ended, now))
      ]
      return { texts, trend }
    })

  const oldTexts = (report: HostReport, held: Held) =>
    // An equal sequence is a report sent again because our answer got lost.
    held.sequence === report.sequence && held.hostEpoch === report.host.epoch ? [] : [staleText(report)]

  const numbered = (report: HostReport, held: Held, received: Received, standing: Standing, now: number) =>
    Effect.gen(function*() {
      const shown = standing === "newest"
        ? yield* shownTexts(report, held, received, now)
        : { texts: oldTexts(report, held), trend: null }
      const { acked, texts } = yield* eventTexts(report, held, standing, now)
      return { acked, texts: [...shown.texts, ...texts], trend: shown.trend }
    })

  const oneOff = (report: HostReport, held: Held, received: Received, now: number) =>
    Effect.map(
      Effect.gen(function*() {
        // Until a host has sent its first numbered report, the one-off is all there is to show.
        return held.sequence === null ? yield* shownTexts(report, held, received, now) : nothingShown
      }),
      ({ texts }) => ({
        acked: held.acked ?? 0,
        texts: [...texts, ...selftestTexts(report, received, now)],
        trend: null
      })
    )

  const envelopeOf = (report: HostReport, inventoryHash: string | null, acked: number, now: EpochMillis): Envelope => ({
    typ: envelopeType,
    host: report.host.id,
    hostEpoch: report.host.epoch,
    serverTime: now,
    nextReportSeconds: settings.reportIntervalSeconds,
    acked,
    ops: [],
    signers: [],
    ...(report.inventory === null && report.inventoryHash !== inventoryHash ? { want: "full" as const } : {})
  })

  const acceptAny = <E>(
    report: HostReport,
    received: Received,
    store: Store<E>,
    now: EpochMillis
  ): Effect.Effect<Envelope, StoreError | E> =>
    Effect.gen(function*() {
      const [held] = yield* readText(Held, heldText(report.host.id, report.host.epoch))
      if (held === undefined) return yield* new StoreError({ reason: "read", path, detail: "it gave no answer" })
      const standing = standingOf(report, held)
      const { acked, texts, trend } = standing === "one-off"
        ? yield* oneOff(report, held, received, now)
        : yield* numbered(report, held, received, standing, now)
      if (texts.length > 0) yield* store(texts)
      if (standing === "newest" && trend !== null) last.keep(report, acked, held, trend)
      return envelopeOf(report, held.inventoryHash, acked, now)
    })

  /** What nearly every report is: the next one of a host that has nothing to tell. No row has to be read for it. */
  const acceptQuiet = <E>(
    report: HostReport,
    before: LastReport,
    received: Received,
    store: Store<E>,
    now: EpochMillis
  ): Effect.Effect<Envelope, StoreError | E> | undefined => {
    const { ended, trend } = withReport(before.trend, report, now)
    if (ended !== null) return undefined
    const texts = [
      hostText(report, shownOf(report, trend), now),
      ...latestTexts(report, received, before.hasInventory, now)
    ]
    return Effect.map(store(texts), () => {
      last.follow(report, before, trend)
      return envelopeOf(report, before.inventoryHash, before.acked, now)
    })
  }

  const accept = <E>(
    report: HostReport,
    received: Received,
    store: Store<E>
  ): Effect.Effect<Envelope, StoreError | E> =>
    Clock.clockWith((clock) => {
      const now = EpochMillis.make(clock.unsafeCurrentTimeMillis(), true)
      const before = last.take(report)
      return (before === undefined ? undefined : acceptQuiet(report, before, received, store, now)) ??
        acceptAny(report, received, store, now)
    })

  return Ingest.of({
    accept: (report, packed, signature) =>
      turns.alone(report.host.id)(accept(report, { packed, signature: signature ?? null }, writeTexts)),
    acceptIfUnchanged: (stamp, report, packed, signature) =>
      turns.alone(report.host.id)(
        accept(report, { packed, signature: signature ?? null }, (texts) => writeTextsIfUnchanged(stamp, texts))
      )
  })
})

export const layer: Layer.Layer<Ingest, never, Database | HubSettings> = Layer.effect(Ingest, make).pipe(
  Layer.ensureRequirementsType<Database | HubSettings>()
)
