import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { Effect, Option, Schema } from "effect"
import type { Database } from "./Database.ts"
import { Blob, signedBytes, unpacked } from "./KeptReports.ts"
import type { SqlText } from "./StoreConnection.ts"
import type { StoreError } from "./StoreError.ts"

// A host says how an op ends in one report, which the next one replaces: it is kept with the op, since whoever believes the host
// and not the hub has to see it.

/** A report as it came, with the armored signature of its host. */
export interface SpokenReport {
  /** SHA-256 of the unpacked bytes, which are what was signed. */
  readonly sha256: Sha256Hex
  /** Gzipped. */
  readonly packed: Uint8Array
  readonly signature: string
}

/** How many of them are kept of one host, and what they may weigh, gzipped, in bytes. */
const kept = { reports: 200, bytes: 8 * 1024 * 1024 } as const

/** Keeps a report that ops of this host name, and lets those go that none names any more, and the oldest beyond the bounds. */
export const keepTexts = (host: HostId, report: SpokenReport | undefined): ReadonlyArray<SqlText> => [
  ...(report === undefined ? [] : [{
    sql: "INSERT OR IGNORE INTO op_report (host_id, report, body, signature) VALUES (?, ?, ?, ?)",
    parameters: [host, report.sha256, report.packed, report.signature]
  }]),
  {
    sql: `DELETE FROM op_report WHERE host_id = ? AND (
      report NOT IN (SELECT report FROM signed_op WHERE host_id = ? AND report IS NOT NULL)
      OR rowid IN (SELECT rowid FROM (
        SELECT rowid, row_number() OVER (ORDER BY rowid DESC) AS place, sum(length(body)) OVER (ORDER BY rowid DESC) AS weight
        FROM op_report WHERE host_id = ?
      ) WHERE place > ? OR weight > ?))`,
    parameters: [host, host, host, kept.reports, kept.bytes]
  }
]

const Row = Schema.Struct({ body: Blob, signature: Schema.NullOr(Schema.String) })

/** None when the op is unknown, its host did not sign what it said of it, or that report had to go. */
export const opReport = (
  { readText }: Pick<typeof Database.Service, "readText">,
  host: HostId,
  op: Sha256Hex
): Effect.Effect<Option.Option<SignedBytes>, StoreError> =>
  Effect.flatMap(
    readText(Row, {
      sql: `SELECT op_report.body, op_report.signature FROM signed_op JOIN op_report
        ON op_report.host_id = signed_op.host_id AND op_report.report = signed_op.report
        WHERE signed_op.host_id = ? AND op = ?`,
      parameters: [host, op]
    }),
    ([row]) => Effect.transposeMapOption(Option.fromNullable(row), (found) => Effect.map(unpacked(found), signedBytes))
  )
