/**
 * Step 0003 of the store's shape: of each host the latest report alone is kept as it came, and what it said before that lives
 * on as points of its history.
 */
export const historyTables: ReadonlyArray<string> = [
  // What the host said last; sequence is null while there were one-off reports only. It has a rowid: a packed report of an
  // ordinary host then fits into one page, so an exchange rewrites only that.
  `CREATE TABLE latest_report (
    host_id TEXT PRIMARY KEY,
    epoch TEXT NOT NULL,
    sequence INTEGER,
    received_at INTEGER NOT NULL,
    has_inventory INTEGER NOT NULL,
    body BLOB NOT NULL,
    signature TEXT
  )`,
  `INSERT INTO latest_report (host_id, epoch, sequence, received_at, has_inventory, body, signature)
    SELECT report.host_id, report.epoch, report.sequence, report.received_at, 0, report.body, report.signature
    FROM report JOIN host ON host.host_id = report.host_id AND host.epoch = report.epoch AND host.sequence = report.sequence`,
  `INSERT INTO latest_report (host_id, epoch, sequence, received_at, has_inventory, body, signature)
    SELECT selftest.host_id, host.epoch, NULL, selftest.received_at, 0, selftest.body, selftest.signature
    FROM selftest JOIN host ON host.host_id = selftest.host_id
    WHERE host.sequence IS NULL AND selftest.id = (SELECT max(id) FROM selftest WHERE selftest.host_id = host.host_id)`,
  "DROP TABLE report",
  // A host whose inventory is in no kept report is asked for all of it again.
  "UPDATE host SET inventory_hash = NULL WHERE host_id NOT IN (SELECT host_id FROM inventory_report)",
  "ALTER TABLE host DROP COLUMN inventory",
  "ALTER TABLE host DROP COLUMN samples",
  "ALTER TABLE host DROP COLUMN sections",
  // The five minutes under way; see Trend.
  "ALTER TABLE host ADD COLUMN trend TEXT",
  // Points of 300, 3600 and 86400 seconds, by the hub's clock; see Trend.
  `CREATE TABLE history (
    host_id TEXT NOT NULL,
    seconds INTEGER NOT NULL,
    at INTEGER NOT NULL,
    point TEXT NOT NULL,
    PRIMARY KEY (host_id, seconds, at)
  ) WITHOUT ROWID`,
  // Events up to pruned_through were taken out again because they were old or too many; event_count counts them still.
  "ALTER TABLE host_epoch ADD COLUMN pruned_through INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE host_epoch ADD COLUMN event_bytes INTEGER NOT NULL DEFAULT 0",
  `UPDATE host_epoch SET event_bytes = coalesce((SELECT sum(length(CAST(body AS BLOB))) FROM event
    WHERE event.host_id = host_epoch.host_id AND event.epoch = host_epoch.epoch), 0)`,
  // What had to go because the store reached its bound; see StoreCap.
  "ALTER TABLE store ADD COLUMN trimmed_at INTEGER"
]
