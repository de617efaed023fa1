/**
 * Step 0004 of the store's shape: alarms by cause, the notices that tell of them, hosts that were retired, and what a restored
 * store must know of itself.
 */
export const alarmTables: ReadonlyArray<string> = [
  // By the hub's clock, unlike at. Null for events that came before this step.
  "ALTER TABLE event ADD COLUMN received_at INTEGER",
  "DROP INDEX IF EXISTS event_critical",
  "CREATE INDEX event_critical_received ON event (coalesce(received_at, at)) WHERE severity = 'critical'",
  "ALTER TABLE host_epoch ADD COLUMN state_trouble TEXT",
  // 1 until the first events after a restore have come: those between the backup and the restore went to the store of then.
  "ALTER TABLE host_epoch ADD COLUMN restored INTEGER NOT NULL DEFAULT 0",
  // How many events these were; event_count counts them, too.
  "ALTER TABLE host_epoch ADD COLUMN before_restore INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE store ADD COLUMN restored_at INTEGER",
  "ALTER TABLE store ADD COLUMN backup_made_at INTEGER",
  `CREATE TABLE retired_host (
    host_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL
  ) WITHOUT ROWID`,
  // One open alarm a cause; ack_until is null for as long as it stays open.
  `CREATE TABLE cause_alarm (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cause TEXT NOT NULL,
    severity TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    notified_at INTEGER,
    recovered_at INTEGER,
    ack_by TEXT,
    ack_at INTEGER,
    ack_until INTEGER,
    ack_note TEXT
  )`,
  "CREATE UNIQUE INDEX open_cause ON cause_alarm (cause) WHERE recovered_at IS NULL",
  // cleared_at: well again since then; told_at: a notice named it; returns: how often it came back within the day.
  `CREATE TABLE cause_alarm_host (
    alarm_id INTEGER NOT NULL,
    host_id TEXT NOT NULL,
    node TEXT NOT NULL,
    severity TEXT NOT NULL,
    sentence TEXT NOT NULL,
    since INTEGER NOT NULL,
    cleared_at INTEGER,
    told_at INTEGER,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    returns INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (alarm_id, host_id)
  ) WITHOUT ROWID`,
  // What is to be delivered, once for each channel.
  `CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notice_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER,
    given_up_at INTEGER,
    last_error TEXT
  )`,
  "CREATE INDEX notice_waiting ON notice (due_at) WHERE delivered_at IS NULL AND given_up_at IS NULL",
  `CREATE TABLE notice_channel (
    channel TEXT PRIMARY KEY,
    delivered_at INTEGER,
    failing_since INTEGER,
    last_error TEXT
  ) WITHOUT ROWID`
]
