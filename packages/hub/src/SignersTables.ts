/** Step 0006 of the store's shape: the fleet's chain of signers documents, and the reports in which hosts spoke of ops. */
export const signersTables: ReadonlyArray<string> = [
  // payload is the document as it was signed, sha256 its hash; signatures is a JSON list of armored texts. fleet, version and the
  // hashes of the lists before it (from_) and of its own are what the document says of itself. Times are by the hub's clock.
  `CREATE TABLE signers_document (
    fleet TEXT NOT NULL,
    version INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    from_allowed TEXT NOT NULL,
    from_revoked TEXT NOT NULL,
    allowed TEXT NOT NULL,
    revoked TEXT NOT NULL,
    payload BLOB NOT NULL,
    signatures TEXT NOT NULL,
    needs INTEGER NOT NULL,
    submitted_by TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (fleet, version)
  )`,
  // What each host said last of the signers that it goes by. fleet is null and version 0 while it took none; allowed is null while
  // it has no list, and that of revoked keys is the empty one where there is none.
  `CREATE TABLE host_signers (
    host_id TEXT PRIMARY KEY,
    fleet TEXT,
    version INTEGER NOT NULL,
    allowed TEXT,
    revoked TEXT NOT NULL,
    at INTEGER NOT NULL
  ) WITHOUT ROWID`,
  // The report in which the host said what stands in state and message: see OpReports.
  "ALTER TABLE signed_op ADD COLUMN report TEXT",
  "ALTER TABLE signed_op ADD COLUMN document BLOB",
  `CREATE TABLE op_report (
    host_id TEXT NOT NULL,
    report TEXT NOT NULL,
    body BLOB NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (host_id, report)
  )`
]
