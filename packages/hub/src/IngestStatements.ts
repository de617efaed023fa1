import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostReport } from "@felhom/domain/HostReport"
import { Schema } from "effect"
import type { InventoryFacts, ReportFacts } from "./HostFacts.ts"
import type { SqlText } from "./StoreConnection.ts"
import { Trend } from "./Trend.ts"

// The statements of a report. Their texts never vary, so that they are prepared once.

/** What is held of a host and of the epoch that a report names; all null for a host, or an epoch, that is not known. */
export const Held = Schema.Struct({
  hostEpoch: Schema.NullOr(Schema.String),
  sequence: Schema.NullOr(Schema.Int),
  inventoryHash: Schema.NullOr(Schema.String),
  trend: Schema.NullOr(Schema.parseJson(Trend)),
  hasInventory: Schema.NullOr(Schema.Int),
  acked: Schema.NullOr(Schema.Int),
  skipped: Schema.Int,
  droppedBefore: Schema.Int,
  droppedNow: Schema.Int,
  count: Schema.Int,
  max: Schema.Int,
  gapAt: Schema.NullOr(Schema.Int),
  proxmoxTrouble: Schema.NullOr(Schema.String),
  stateTrouble: Schema.NullOr(Schema.String),
  /** 1 when the store was restored from a backup and no event has come since. */
  restored: Schema.Int,
  beforeRestore: Schema.Int,
  prunedThrough: Schema.Int,
  bytes: Schema.Int
})
export type Held = typeof Held.Type

export const heldText = (host: string, epoch: string): SqlText => ({
  sql:
    `SELECT host.epoch AS hostEpoch, host.sequence, inventory_hash AS inventoryHash, trend, has_inventory AS hasInventory,
      acked, coalesce(skipped, 0) AS skipped, coalesce(dropped_before, 0) AS droppedBefore,
      coalesce(dropped_now, 0) AS droppedNow, coalesce(event_count, 0) AS count, coalesce(event_max, 0) AS max,
      gap_at AS gapAt, proxmox_trouble AS proxmoxTrouble, state_trouble AS stateTrouble, coalesce(restored, 0) AS restored,
      coalesce(before_restore, 0) AS beforeRestore, coalesce(pruned_through, 0) AS prunedThrough,
      coalesce(event_bytes, 0) AS bytes
    FROM (SELECT ? AS id, ? AS epoch) AS asked
    LEFT JOIN host ON host.host_id = asked.id
    LEFT JOIN latest_report ON latest_report.host_id = asked.id
    LEFT JOIN host_epoch ON host_epoch.host_id = asked.id AND host_epoch.epoch = asked.epoch`,
  parameters: [host, epoch]
})

/** The books of one epoch of a host: what EventLedger reckons with, and what the events say of the host's state. */
export type Books = Omit<Held, "hostEpoch" | "sequence" | "inventoryHash" | "trend" | "hasInventory" | "acked"> & {
  readonly acked: number
}

export const booksText = ({ host }: HostReport, books: Books, now: number): SqlText => ({
  sql: `INSERT INTO host_epoch (host_id, epoch, first_seen, acked, skipped, dropped_before, dropped_now, event_count,
      event_max, gap_at, proxmox_trouble, state_trouble, restored, before_restore, pruned_through, event_bytes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (host_id, epoch) DO UPDATE SET acked = excluded.acked, skipped = excluded.skipped,
      dropped_before = excluded.dropped_before, dropped_now = excluded.dropped_now, event_count = excluded.event_count,
      event_max = excluded.event_max, gap_at = excluded.gap_at, proxmox_trouble = excluded.proxmox_trouble,
      state_trouble = excluded.state_trouble, restored = excluded.restored, before_restore = excluded.before_restore,
      pruned_through = excluded.pruned_through, event_bytes = excluded.event_bytes`,
  parameters: [
    host.id,
    host.epoch,
    now,
    books.acked,
    books.skipped,
    books.droppedBefore,
    books.droppedNow,
    books.count,
    books.max,
    books.gapAt,
    books.proxmoxTrouble,
    books.stateTrouble,
    books.restored,
    books.beforeRestore,
    books.prunedThrough,
    books.bytes
  ]
})

/** An event as it is stored: what this version knows of it, and nothing else that came along. */
export const eventBody = ({ at, kind, message, seq, severity, subject }: HostEvent): string =>
  JSON.stringify({ seq, at, kind, severity, subject, message })

export const eventText = ({ host }: HostReport, event: HostEvent, now: number): SqlText => ({
  sql:
    `INSERT OR IGNORE INTO event (host_id, epoch, seq, at, received_at, severity, body) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  parameters: [host.id, host.epoch, event.seq, event.at, now, event.severity, eventBody(event)]
})

const identityOf = ({ agentVersion, bootId, epoch, id, kernel, node, pveVersion }: HostReport["host"]): string =>
  JSON.stringify({ id, epoch, bootId, node, agentVersion, pveVersion, kernel })

/** What is shown of a host from now on. `inventory` is null when the report brought none. */
export const hostText = (
  report: HostReport,
  shown: {
    readonly promisedSeconds: number
    readonly inventory: InventoryFacts | null
    readonly facts: ReportFacts
    readonly trend: Trend | null
  },
  now: number
): SqlText => ({
  sql: `INSERT INTO host (host_id, epoch, sequence, first_seen, last_seen, taken_at, promised_seconds, identity,
      inventory_hash, inventory_facts, report_facts, trend)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (host_id) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence,
      last_seen = excluded.last_seen, taken_at = excluded.taken_at, promised_seconds = excluded.promised_seconds,
      identity = excluded.identity, inventory_hash = coalesce(excluded.inventory_hash, host.inventory_hash),
      inventory_facts = coalesce(excluded.inventory_facts, host.inventory_facts), report_facts = excluded.report_facts,
      trend = excluded.trend, stale_run = 0, stale_sequence = NULL`,
  parameters: [
    report.host.id,
    report.host.epoch,
    report.sequence,
    now,
    now,
    report.takenAt,
    shown.promisedSeconds,
    identityOf(report.host),
    shown.inventory === null ? null : report.inventoryHash,
    shown.inventory === null ? null : JSON.stringify(shown.inventory),
    JSON.stringify(shown.facts),
    shown.trend === null ? null : JSON.stringify(shown.trend)
  ]
})

/** A report's bytes, gzipped, and its armored signature. */
export interface Received {
  readonly packed: Uint8Array
  readonly signature: string | null
}

/**
 * The latest report in the place of the one before. The report that brought the inventory is what a person may want to have
 * from the host's own hand, so it outlives the next one, which has none.
 */
export const latestTexts = (
  report: HostReport,
  { packed, signature }: Received,
  replacesInventory: boolean,
  now: number
): ReadonlyArray<SqlText> => [
  ...(report.inventory === null && replacesInventory
    ? [{
      sql: `INSERT INTO inventory_report (host_id, body, signature)
        SELECT host_id, body, signature FROM latest_report WHERE host_id = ?
        ON CONFLICT (host_id) DO UPDATE SET body = excluded.body, signature = excluded.signature`,
      parameters: [report.host.id]
    }]
    : []),
  {
    sql: `INSERT INTO latest_report (host_id, epoch, sequence, received_at, has_inventory, body, signature)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (host_id) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence,
        received_at = excluded.received_at, has_inventory = excluded.has_inventory, body = excluded.body,
        signature = excluded.signature`,
    parameters: [
      report.host.id,
      report.host.epoch,
      report.sequence,
      now,
      report.inventory === null ? 0 : 1,
      packed,
      signature
    ]
  }
]

/** How many one-off reports of a host are kept. */
const selftestsKept = 5

export const selftestTexts = (
  { host }: HostReport,
  { packed, signature }: Received,
  now: number
): ReadonlyArray<SqlText> => [
  { sql: "UPDATE host SET last_selftest = ? WHERE host_id = ?", parameters: [now, host.id] },
  {
    sql: "INSERT INTO selftest (host_id, received_at, body, signature) VALUES (?, ?, ?, ?)",
    parameters: [host.id, now, packed, signature]
  },
  {
    sql: `DELETE FROM selftest WHERE host_id = ? AND id <= (SELECT id FROM selftest WHERE host_id = ?
      ORDER BY id DESC LIMIT 1 OFFSET ?)`,
    parameters: [host.id, host.id, selftestsKept]
  }
]

export const staleText = ({ host, sequence }: HostReport): SqlText => ({
  sql: "UPDATE host SET stale_run = stale_run + 1, stale_sequence = ? WHERE host_id = ?",
  parameters: [sequence, host.id]
})
