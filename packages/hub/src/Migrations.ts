import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { alarmTables } from "./AlarmTables.ts"
import { desiredTables } from "./DesiredTables.ts"
import { historyTables } from "./HistoryTables.ts"
import { opTables } from "./OpTables.ts"
import { signersTables } from "./SignersTables.ts"

type Migration = Effect.Effect<void, unknown, SqlClient.SqlClient>

const statements = (...texts: ReadonlyArray<string>): Migration =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.forEach(texts, (text) => sql.unsafe(text), { discard: true }))

/**
 * The store's shape, step by step. A step that was once released never changes; the next one gets a new number. Times are
 * milliseconds since the epoch, by the hub's clock unless the column says otherwise.
 */
export const migrations: Record<string, Migration> = {
  "0001_hosts_events_and_tokens": statements(
    `CREATE TABLE store (
      only INTEGER PRIMARY KEY CHECK (only = 1),
      epoch TEXT NOT NULL
    )`,
    "INSERT INTO store (only, epoch) VALUES (1, lower(hex(randomblob(16))))",
    `CREATE TABLE token (
      hash TEXT PRIMARY KEY,
      role TEXT NOT NULL,
      label TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      host_id TEXT,
      revoked_at INTEGER
    ) WITHOUT ROWID`,
    // One live token a host, also when two of them send their first report at the same moment.
    "CREATE UNIQUE INDEX token_of_host ON token (host_id) WHERE host_id IS NOT NULL AND revoked_at IS NULL",
    // The report that is shown. taken_at is by the host's clock; sequence is null while there were one-off reports only.
    `CREATE TABLE host (
      host_id TEXT PRIMARY KEY,
      epoch TEXT NOT NULL,
      sequence INTEGER,
      first_seen INTEGER NOT NULL,
      last_seen INTEGER NOT NULL,
      taken_at INTEGER NOT NULL,
      promised_seconds REAL NOT NULL,
      identity TEXT NOT NULL,
      inventory_hash TEXT,
      inventory TEXT,
      inventory_facts TEXT,
      samples TEXT NOT NULL,
      sections TEXT NOT NULL,
      report_facts TEXT NOT NULL,
      last_selftest INTEGER,
      stale_run INTEGER NOT NULL DEFAULT 0,
      stale_sequence INTEGER
    ) WITHOUT ROWID`,
    // What is known of the events of one incarnation of a host; see EventLedger.
    `CREATE TABLE host_epoch (
      host_id TEXT NOT NULL,
      epoch TEXT NOT NULL,
      first_seen INTEGER NOT NULL,
      acked INTEGER NOT NULL,
      skipped INTEGER NOT NULL,
      dropped_before INTEGER NOT NULL,
      dropped_now INTEGER NOT NULL,
      event_count INTEGER NOT NULL,
      event_max INTEGER NOT NULL,
      gap_at INTEGER,
      proxmox_trouble TEXT,
      PRIMARY KEY (host_id, epoch)
    ) WITHOUT ROWID`,
    // at is by the host's clock; body is the event as it came.
    `CREATE TABLE event (
      host_id TEXT NOT NULL,
      epoch TEXT NOT NULL,
      seq INTEGER NOT NULL,
      at INTEGER NOT NULL,
      severity TEXT NOT NULL,
      body TEXT NOT NULL,
      PRIMARY KEY (host_id, epoch, seq)
    ) WITHOUT ROWID`,
    "CREATE INDEX event_critical ON event (at) WHERE severity = 'critical'",
    // The reports themselves, gzipped, the latest of each host; an entry is as old as its rowid.
    `CREATE TABLE report (
      host_id TEXT NOT NULL,
      epoch TEXT NOT NULL,
      sequence INTEGER NOT NULL,
      received_at INTEGER NOT NULL,
      body BLOB NOT NULL,
      PRIMARY KEY (host_id, epoch, sequence)
    )`,
    "CREATE INDEX report_by_host ON report (host_id)",
    `CREATE TABLE selftest (
      id INTEGER PRIMARY KEY,
      host_id TEXT NOT NULL,
      received_at INTEGER NOT NULL,
      body BLOB NOT NULL
    )`,
    "CREATE INDEX selftest_by_host ON selftest (host_id, id)"
  ),
  "0002_trust_between_hosts_and_operators": statements(
    // One-time tokens; used_by_key is the public key of the host that showed it first.
    `CREATE TABLE enrolment_token (
      hash TEXT PRIMARY KEY,
      label TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      used_at INTEGER,
      used_by_host TEXT,
      used_by_key TEXT,
      revoked_at INTEGER
    ) WITHOUT ROWID`,
    // A key waits until a person accepted it; accepted, it is the one that this host's reports must be signed by.
    `CREATE TABLE host_key (
      host_id TEXT NOT NULL,
      public_key TEXT NOT NULL,
      node TEXT NOT NULL,
      agent_version TEXT NOT NULL,
      since INTEGER NOT NULL,
      accepted_at INTEGER,
      accepted_by TEXT,
      PRIMARY KEY (host_id, public_key)
    ) WITHOUT ROWID`,
    "CREATE UNIQUE INDEX pinned_key_of_host ON host_key (host_id) WHERE accepted_at IS NOT NULL",
    // What the hub itself noticed of a host and refused; see AlarmStore.
    `CREATE TABLE alarm (
      host_id TEXT NOT NULL,
      kind TEXT NOT NULL,
      message TEXT NOT NULL,
      first_at INTEGER NOT NULL,
      last_at INTEGER NOT NULL,
      count INTEGER NOT NULL,
      PRIMARY KEY (host_id, kind)
    ) WITHOUT ROWID`,
    // Armored SSHSIG over the unpacked body; null when the host did not sign.
    "ALTER TABLE report ADD COLUMN signature TEXT",
    "ALTER TABLE selftest ADD COLUMN signature TEXT",
    // The report that brought the inventory that is shown: the history may have lost it by then.
    `CREATE TABLE inventory_report (
      host_id TEXT PRIMARY KEY,
      body BLOB NOT NULL,
      signature TEXT
    ) WITHOUT ROWID`
  ),
  "0003_history_in_points": statements(...historyTables),
  "0004_alarms_notices_and_restores": statements(...alarmTables),
  "0005_signed_ops": statements(...opTables),
  "0006_signers_and_what_hosts_said_of_ops": statements(...signersTables),
  "0007_what_hosts_are_wished_to_be": statements(...desiredTables)
}
