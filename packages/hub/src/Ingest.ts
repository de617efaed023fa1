import { type Envelope, envelopeType } from "@felhom/domain/Envelope"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostReport } from "@felhom/domain/HostReport"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { proxmoxTrouble } from "./Attention.ts"
import { Database } from "./Database.ts"
import { acknowledge, emptyLedger, type EventLedger, missingEvents, withDropped } from "./EventLedger.ts"
import { inventoryFacts, reportFacts } from "./HostFacts.ts"
import { HubSettings } from "./HubSettings.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * Takes reports in. A report may come twice, late or out of order: events are stored once by (host, epoch, number), and only
 * a higher sequence replaces what is shown. All of one report is stored in one transaction before the envelope says so.
 */
export class Ingest extends Context.Tag("felhom/hub/Ingest")<Ingest, {
  /** `packed` is the report as it came, gzipped, and `signature` its host's armored SSHSIG, if it signed: both are kept. */
  readonly accept: (report: HostReport, packed: Uint8Array, signature?: string) => Effect.Effect<Envelope, StoreError>
}>() {}

/** How many one-off reports of a host are kept. */
const selftestsKept = 20

const HeldHost = Schema.Struct({
  epoch: Schema.String,
  sequence: Schema.NullOr(Schema.Int),
  inventoryHash: Schema.NullOr(Schema.String)
})

const HeldEpoch = Schema.Struct({
  acked: Schema.Int,
  skipped: Schema.Int,
  droppedBefore: Schema.Int,
  droppedNow: Schema.Int,
  count: Schema.Int,
  max: Schema.Int,
  gapAt: Schema.NullOr(Schema.Int),
  proxmoxTrouble: Schema.NullOr(Schema.String)
})
type HeldEpoch = typeof HeldEpoch.Type

const newEpoch: HeldEpoch = { ...emptyLedger, gapAt: null, proxmoxTrouble: null }

const Seq = Schema.Struct({ seq: Schema.Int })

/** A report's bytes, gzipped, and its armored signature. */
interface Received {
  readonly packed: Uint8Array
  readonly signature: string | null
}

/** Whether a report becomes what is shown, is a one-off, or is older than what is shown already. */
type Standing = "newest" | "one-off" | "old"

const standingOf = (report: HostReport, host: typeof HeldHost.Type | undefined, epochIsKnown: boolean): Standing => {
  if (report.sequence === null) return "one-off"
  if (host === undefined || host.sequence === null) return "newest"
  // An epoch that was there before the present one never comes back but with reports that were long under way.
  if (host.epoch !== report.host.epoch) return epochIsKnown ? "old" : "newest"
  return report.sequence > host.sequence ? "newest" : "old"
}

/** The same event may stand in one report twice only by a mistake of its sender; one of them is enough. */
const ordered = (events: ReadonlyArray<HostEvent>): ReadonlyArray<HostEvent> =>
  Array.from(new Map(events.map((event) => [event.seq, event])).values()).sort((a, b) => a.seq - b.seq)

const make = Effect.gen(function*() {
  const { read, sql, write } = yield* Database
  const settings = yield* HubSettings
  // No other report may come between reading what is held and writing what follows from it.
  const alone = yield* Effect.makeSemaphore(1)

  const heldHost = (id: string) =>
    Effect.map(
      read(HeldHost, sql`SELECT epoch, sequence, inventory_hash AS "inventoryHash" FROM host WHERE host_id = ${id}`),
      (rows) => rows[0]
    )

  const heldEpoch = (id: string, epoch: string) =>
    Effect.map(
      read(
        HeldEpoch,
        sql`SELECT acked, skipped, dropped_before AS "droppedBefore", dropped_now AS "droppedNow", event_count AS "count",
          event_max AS "max", gap_at AS "gapAt", proxmox_trouble AS "proxmoxTrouble"
          FROM host_epoch WHERE host_id = ${id} AND epoch = ${epoch}`
      ),
      (rows) => rows[0]
    )

  const storedNumbers = (id: string, epoch: string, acked: number, wanted: ReadonlyArray<number>) =>
    Effect.map(
      read(
        Seq,
        sql`SELECT seq FROM event WHERE host_id = ${id} AND epoch = ${epoch}
          AND (seq > ${acked} OR seq IN (SELECT value FROM json_each(${JSON.stringify(wanted)})))`
      ),
      (rows) => rows.map(({ seq }) => seq)
    )

  /** The epoch's books after this report. */
  const settle = (
    report: HostReport,
    before: HeldEpoch,
    events: ReadonlyArray<HostEvent>,
    standing: Standing,
    now: number
  ) =>
    Effect.gen(function*() {
      const ledger: EventLedger = standing === "newest" ? withDropped(before, report.eventsDropped) : before
      const numbers = events.map(({ seq }) => seq)
      const stored = new Set(yield* storedNumbers(report.host.id, report.host.epoch, ledger.acked, numbers))
      const added = numbers.filter((seq) => !stored.has(seq))
      const pending = [...stored, ...added].filter((seq) => seq > ledger.acked).sort((a, b) => a - b)
      const after = acknowledge(ledger, pending, added)
      return {
        ...after,
        gapAt: missingEvents(after) > missingEvents(before) ? now : before.gapAt,
        proxmoxTrouble: proxmoxTrouble(before.proxmoxTrouble, events.filter(({ seq }) => seq > before.max))
      } satisfies HeldEpoch
    })

  const epochStatement = (report: HostReport, books: HeldEpoch, now: number) =>
    sql`INSERT INTO host_epoch (host_id, epoch, first_seen, acked, skipped, dropped_before, dropped_now, event_count,
        event_max, gap_at, proxmox_trouble)
      VALUES (${report.host.id}, ${report.host.epoch}, ${now}, ${books.acked}, ${books.skipped}, ${books.droppedBefore},
        ${books.droppedNow}, ${books.count}, ${books.max}, ${books.gapAt}, ${books.proxmoxTrouble})
      ON CONFLICT (host_id, epoch) DO UPDATE SET acked = excluded.acked, skipped = excluded.skipped,
        dropped_before = excluded.dropped_before, dropped_now = excluded.dropped_now, event_count = excluded.event_count,
        event_max = excluded.event_max, gap_at = excluded.gap_at, proxmox_trouble = excluded.proxmox_trouble`

  const eventsStatement = (report: HostReport, events: ReadonlyArray<HostEvent>) =>
    sql`INSERT OR IGNORE INTO event (host_id, epoch, seq, at, severity, body)
      SELECT ${report.host.id}, ${report.host.epoch}, json_extract(value, '$.seq'), json_extract(value, '$.at'),
        json_extract(value, '$.severity'), value
      FROM json_each(${JSON.stringify(events)})`

  const hostStatement = (report: HostReport, now: number) => {
    const { inventory } = report
    return sql`INSERT INTO host (host_id, epoch, sequence, first_seen, last_seen, taken_at, promised_seconds, identity,
        inventory_hash, inventory, inventory_facts, samples, sections, report_facts)
      VALUES (${report.host.id}, ${report.host.epoch}, ${report.sequence}, ${now}, ${now}, ${report.takenAt},
        ${settings.reportIntervalSeconds}, ${JSON.stringify(report.host)},
        ${inventory === null ? null : report.inventoryHash},
        ${inventory === null ? null : JSON.stringify(inventory)},
        ${inventory === null ? null : JSON.stringify(inventoryFacts(inventory))},
        ${JSON.stringify(report.samples)}, ${JSON.stringify(report.sections)},
        ${JSON.stringify(reportFacts(report.samples, report.sections))})
      ON CONFLICT (host_id) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence,
        last_seen = excluded.last_seen, taken_at = excluded.taken_at, promised_seconds = excluded.promised_seconds,
        identity = excluded.identity, inventory_hash = coalesce(excluded.inventory_hash, host.inventory_hash),
        inventory = coalesce(excluded.inventory, host.inventory),
        inventory_facts = coalesce(excluded.inventory_facts, host.inventory_facts), samples = excluded.samples,
        sections = excluded.sections, report_facts = excluded.report_facts, stale_run = 0, stale_sequence = NULL`
  }

  /** What a person may want to have from the host's own hand: the inventory outlives the report that it came with. */
  const inventoryStatements = (report: HostReport, { packed, signature }: Received) =>
    report.inventory === null ? [] : [
      sql`INSERT INTO inventory_report (host_id, body, signature) VALUES (${report.host.id}, ${packed}, ${signature})
        ON CONFLICT (host_id) DO UPDATE SET body = excluded.body, signature = excluded.signature`
    ]

  const historyStatements = (report: HostReport, { packed, signature }: Received, now: number) => [
    sql`INSERT OR IGNORE INTO report (host_id, epoch, sequence, received_at, body, signature)
      VALUES (${report.host.id}, ${report.host.epoch}, ${report.sequence}, ${now}, ${packed}, ${signature})`,
    sql`DELETE FROM report WHERE host_id = ${report.host.id} AND rowid <= (SELECT rowid FROM report
      WHERE host_id = ${report.host.id} ORDER BY rowid DESC LIMIT 1 OFFSET ${settings.historyPerHost})`
  ]

  const selftestStatements = (report: HostReport, received: Received, shown: boolean, now: number) => [
    // Until a host has sent its first numbered report, the one-off is all there is to show.
    ...(shown ? [hostStatement(report, now), ...inventoryStatements(report, received)] : []),
    sql`UPDATE host SET last_selftest = ${now} WHERE host_id = ${report.host.id}`,
    sql`INSERT INTO selftest (host_id, received_at, body, signature)
      VALUES (${report.host.id}, ${now}, ${received.packed}, ${received.signature})`,
    sql`DELETE FROM selftest WHERE host_id = ${report.host.id} AND id <= (SELECT id FROM selftest
      WHERE host_id = ${report.host.id} ORDER BY id DESC LIMIT 1 OFFSET ${selftestsKept})`
  ]

  const oldStatements = (report: HostReport, host: typeof HeldHost.Type | undefined) =>
    // An equal sequence is a report sent again because our answer got lost.
    host?.sequence === report.sequence && host.epoch === report.host.epoch ? [] : [
      sql`UPDATE host SET stale_run = stale_run + 1, stale_sequence = ${report.sequence}
        WHERE host_id = ${report.host.id}`
    ]

  const accept = (report: HostReport, received: Received): Effect.Effect<Envelope, StoreError> =>
    Effect.gen(function*() {
      const now = EpochMillis.make(yield* Clock.currentTimeMillis)
      const host = yield* heldHost(report.host.id)
      const known = yield* heldEpoch(report.host.id, report.host.epoch)
      const standing = standingOf(report, host, known !== undefined)
      const before = known ?? newEpoch
      let acked = before.acked
      if (standing === "one-off") {
        yield* write(selftestStatements(report, received, host === undefined || host.sequence === null, now))
      } else {
        const events = ordered(report.events)
        const books = yield* settle(report, before, events, standing, now)
        yield* write([
          ...(standing === "newest"
            ? [
              hostStatement(report, now),
              ...historyStatements(report, received, now),
              ...inventoryStatements(report, received)
            ]
            : oldStatements(report, host)),
          ...(events.length === 0 ? [] : [eventsStatement(report, events)]),
          epochStatement(report, books, now)
        ])
        acked = books.acked
      }
      const unknownInventory = report.inventory === null && report.inventoryHash !== host?.inventoryHash
      return {
        typ: envelopeType,
        host: report.host.id,
        hostEpoch: report.host.epoch,
        serverTime: now,
        nextReportSeconds: settings.reportIntervalSeconds,
        acked,
        ops: [],
        signers: [],
        ...(unknownInventory ? { want: "full" as const } : {})
      }
    })

  return Ingest.of({
    accept: (report, packed, signature) =>
      alone.withPermits(1)(accept(report, { packed, signature: signature ?? null }))
  })
})

export const layer: Layer.Layer<Ingest, never, Database | HubSettings> = Layer.effect(Ingest, make).pipe(
  Layer.ensureRequirementsType<Database | HubSettings>()
)
