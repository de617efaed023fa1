import { DesiredApplication, type DesiredDetail, type DesiredEntry } from "@felhom/domain/DesiredApi"
import { DesiredState } from "@felhom/domain/DesiredDocument"
import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { Encoding, Schema } from "effect"
import type { SqlText } from "./StoreConnection.ts"

const Wishes = Schema.Array(Schema.Struct({ called: Schema.String, since: DesiredApplication }))
export type Wishes = typeof Wishes.Type

/** What was applied, without its state. */
export const EntryRow = Schema.Struct({
  version: Schema.Int,
  guests: Schema.Int,
  goodFor: Schema.Int,
  reason: Schema.String,
  by: Schema.String,
  at: EpochMillis
})
export type EntryRow = typeof EntryRow.Type

/** What was applied, as it is stored. */
export const AppliedRow = Schema.Struct({
  ...EntryRow.fields,
  state: Schema.parseJson(DesiredState),
  wishes: Schema.parseJson(Wishes),
  allowEmpty: Schema.Int
})
export type AppliedRow = typeof AppliedRow.Type

/** What a host is given, without the bytes. `applied` names the `AppliedRow` that it says. */
export const PublishedRow = Schema.Struct({
  host: HostId,
  applied: Schema.Int,
  epoch: HostEpoch,
  hostEpoch: HostEpoch,
  version: Schema.Int,
  sha256: Sha256Hex,
  issued: EpochMillis,
  expires: EpochMillis
})
export type PublishedRow = typeof PublishedRow.Type

export const publishedSelect =
  `SELECT host_id AS host, applied, epoch, host_epoch AS hostEpoch, version, sha256, issued,
  expires FROM desired_published`

const entryColumns = "version, guests, good_for AS goodFor, reason, applied_by AS \"by\", applied_at AS at"

export const entriesText = (host: HostId): SqlText => ({
  sql: `SELECT ${entryColumns} FROM desired_applied WHERE host_id = ? ORDER BY version DESC`,
  parameters: [host]
})

export const appliedText = (host: HostId, version: number): SqlText => ({
  sql: `SELECT ${entryColumns}, state, wishes, allow_empty AS allowEmpty FROM desired_applied
    WHERE host_id = ? AND version = ?`,
  parameters: [host, version]
})

export const publishedTextFor = (row: PublishedRow, document: Uint8Array): SqlText => ({
  sql: `INSERT INTO desired_published (host_id, applied, epoch, host_epoch, version, sha256, issued, expires, document)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (host_id) DO UPDATE SET applied = excluded.applied, epoch = excluded.epoch,
      host_epoch = excluded.host_epoch, version = excluded.version, sha256 = excluded.sha256, issued = excluded.issued,
      expires = excluded.expires, document = excluded.document`,
  parameters: [
    row.host,
    row.applied,
    row.epoch,
    row.hostEpoch,
    row.version,
    row.sha256,
    row.issued,
    row.expires,
    document
  ]
})

export const appliedTextsFor = (host: HostId, row: AppliedRow, kept: number): ReadonlyArray<SqlText> => [
  {
    sql:
      `INSERT INTO desired_applied (host_id, version, state, wishes, guests, allow_empty, good_for, reason, applied_by,
      applied_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    parameters: [
      host,
      row.version,
      JSON.stringify(row.state),
      JSON.stringify(row.wishes),
      row.guests,
      row.allowEmpty,
      row.goodFor,
      row.reason,
      row.by,
      row.at
    ]
  },
  {
    sql: `DELETE FROM desired_applied WHERE host_id = ? AND version NOT IN
      (SELECT version FROM desired_applied WHERE host_id = ? ORDER BY version DESC LIMIT ?)`,
    parameters: [host, host, kept]
  }
]

export const entryOf = ({ at, by, goodFor, guests, reason, version }: EntryRow): DesiredEntry => ({
  applied: { version, by, at },
  reason,
  guests,
  goodFor
})

export const detailOf = (applied: AppliedRow, published: PublishedRow, document: Uint8Array): DesiredDetail => {
  const { epoch, expires, hostEpoch, issued, sha256, version } = published
  return {
    entry: entryOf(applied),
    published: { epoch, hostEpoch, version, sha256, issued, expires },
    document: Encoding.encodeBase64(document),
    state: applied.state,
    wishes: applied.wishes
  }
}

/** The same text for the same content, in whatever order its keys came. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner)

/** What people call the guests of a state, and since when exactly this is wished for each: what was wished before, still is. */
export const wishesFor = (
  guests: ReadonlyArray<DesiredGuest>,
  called: ReadonlyArray<string>,
  now: DesiredApplication,
  before: AppliedRow | undefined
): Wishes => {
  const known = new Map(
    before?.state.guests.map((guest, index) => [canonical(guest), before.wishes[index]?.since] as const)
  )
  return guests.map((guest, index) => ({ called: called[index] ?? "", since: known.get(canonical(guest)) ?? now }))
}
