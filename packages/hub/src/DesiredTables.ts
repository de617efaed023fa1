/** Step 0007 of the store's shape: what hosts are wished to be, and how they say they stand to it. */
export const desiredTables: ReadonlyArray<string> = [
  // What operators applied. version is the first under which the host was given it; state is JSON, and wishes a JSON list beside
  // its guests: what people call each, and since when exactly this is wished for it.
  `CREATE TABLE desired_applied (
    host_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    wishes TEXT NOT NULL,
    guests INTEGER NOT NULL,
    allow_empty INTEGER NOT NULL,
    good_for INTEGER NOT NULL,
    reason TEXT NOT NULL,
    applied_by TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (host_id, version)
  )`,
  // What each host is given: document is the bytes, sha256 their hash, applied which of the above it says, epoch the store's and
  // host_epoch the host's that stand in it.
  `CREATE TABLE desired_published (
    host_id TEXT PRIMARY KEY,
    applied INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    host_epoch TEXT NOT NULL,
    version INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    issued INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    document BLOB NOT NULL
  )`,
  // What each host said last: the version and epoch that it goes by, and how far it is from that. drift is null where it held
  // nothing against it. The times are since when it is so; lacking: since when it is given what it does not take.
  `CREATE TABLE host_desired (
    host_id TEXT PRIMARY KEY,
    epoch TEXT,
    version INTEGER NOT NULL,
    drift INTEGER,
    blocked INTEGER NOT NULL,
    example TEXT,
    stale_since INTEGER,
    blocked_since INTEGER,
    lacking_since INTEGER
  ) WITHOUT ROWID`
]
