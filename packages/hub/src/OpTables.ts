/** Step 0005 of the store's shape: signed ops on their way to hosts, and what the hosts said of them. */
export const opTables: ReadonlyArray<string> = [
  // op is the SHA-256 of payload, the bytes as they were signed. payload is null and submitted_by, too, for an op of which only
  // the host ever spoke. signatures is a JSON list of armored texts. Times are by the hub's clock. event_epoch
  // and event_seq name the event of the host's that said state and message.
  `CREATE TABLE signed_op (
    host_id TEXT NOT NULL,
    op TEXT NOT NULL,
    payload BLOB,
    signatures TEXT NOT NULL,
    needs INTEGER NOT NULL,
    submitted_by TEXT,
    submitted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    changed_at INTEGER NOT NULL,
    event_epoch TEXT,
    event_seq INTEGER,
    PRIMARY KEY (host_id, op)
  )`,
  "CREATE INDEX signed_op_changed ON signed_op (changed_at)",
  "CREATE INDEX signed_op_submitted ON signed_op (submitted_at)"
]
