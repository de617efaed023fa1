import { HostEpoch, HostId } from "@felhom/domain/HostId"
import type { DesiredHeld, DesiredStatus, HostReport } from "@felhom/domain/HostReport"
import type { DesiredStanding } from "@felhom/domain/HubApi"
import { EpochMillis } from "@felhom/domain/Time"
import { Effect, Schema } from "effect"
import { type Concern, warning } from "./Concern.ts"
import type { Database } from "./Database.ts"
import { PublishedRow, publishedSelect } from "./DesiredRow.ts"
import type { SqlText } from "./StoreConnection.ts"
import type { StoreError } from "./StoreError.ts"

/** How a host says it stands to what is wished for it, as it is stored. Times by the hub's clock. */
export const StandingRow = Schema.Struct({
  host: HostId,
  epoch: Schema.NullOr(HostEpoch),
  version: Schema.Int,
  drift: Schema.NullOr(Schema.Int),
  blocked: Schema.Int,
  /** The first of what is blocked, for people. */
  example: Schema.NullOr(Schema.String),
  staleSince: Schema.NullOr(EpochMillis),
  blockedSince: Schema.NullOr(EpochMillis),
  lackingSince: Schema.NullOr(EpochMillis)
})
export type StandingRow = typeof StandingRow.Type

export const standingSelect =
  `SELECT host_id AS host, epoch, version, drift, blocked, example, stale_since AS staleSince,
  blocked_since AS blockedSince, lacking_since AS lackingSince FROM host_desired`

export const standingTextFor = (row: StandingRow): SqlText => ({
  sql:
    `INSERT INTO host_desired (host_id, epoch, version, drift, blocked, example, stale_since, blocked_since, lacking_since)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (host_id) DO UPDATE SET epoch = excluded.epoch, version = excluded.version, drift = excluded.drift,
      blocked = excluded.blocked, example = excluded.example, stale_since = excluded.stale_since,
      blocked_since = excluded.blocked_since, lacking_since = excluded.lacking_since`,
  parameters: [
    row.host,
    row.epoch,
    row.version,
    row.drift,
    row.blocked,
    row.example,
    row.staleSince,
    row.blockedSince,
    row.lackingSince
  ]
})

const nothing = (host: HostId): StandingRow => ({
  host,
  epoch: null,
  version: 0,
  drift: null,
  blocked: 0,
  example: null,
  staleSince: null,
  blockedSince: null,
  lackingSince: null
})

const longestExample = 300

const withStatus = (before: StandingRow, status: DesiredStatus | null, now: EpochMillis): StandingRow => {
  if (status === null) {
    return { ...before, drift: null, blocked: 0, example: null, staleSince: null, blockedSince: null }
  }
  const { blocked, compared, drift, stale } = status
  const [first] = blocked
  return {
    ...before,
    drift: compared === false ? null : drift.length,
    blocked: blocked.length,
    example: first === undefined ? null : `${first.subject}: ${first.reason}`.slice(0, longestExample),
    staleSince: stale ? before.staleSince ?? now : null,
    blockedSince: blocked.length === 0 ? null : before.blockedSince ?? now
  }
}

/** Where a host stands after this report; of a part that it does not bring, what was heard before still counts. */
export const standingAfter = (
  before: StandingRow | undefined,
  { host, inventory }: HostReport,
  held: DesiredHeld | null | undefined,
  lacks: boolean,
  now: EpochMillis
): StandingRow => {
  const known = before ?? nothing(host.id)
  const heard = inventory === null ? known : withStatus(known, inventory.desired, now)
  return {
    ...heard,
    ...(held === undefined ? {} : { epoch: held?.epoch ?? null, version: held?.version ?? 0 }),
    lackingSince: lacks ? known.lackingSince ?? now : null
  }
}

export const sameStanding = (one: StandingRow, other: StandingRow): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

/** Both sides of what is wished for one host: what it is given, and what it says. */
export interface DesiredSides {
  readonly published: PublishedRow | undefined
  readonly heard: StandingRow | undefined
}

/** Of all hosts for which anything is wished, or that hold anything. */
export const desiredSides = (
  { readText }: Pick<typeof Database.Service, "readText">
): Effect.Effect<ReadonlyMap<string, DesiredSides>, StoreError> =>
  Effect.gen(function*() {
    const published = yield* readText(PublishedRow, { sql: publishedSelect, parameters: [] })
    const heard = yield* readText(StandingRow, { sql: standingSelect, parameters: [] })
    const sides = new Map<string, DesiredSides>(
      published.map((row) => [row.host, { published: row, heard: undefined }])
    )
    for (const row of heard) sides.set(row.host, { published: sides.get(row.host)?.published, heard: row })
    return sides
  })

const ofThisStore = ({ heard, published }: DesiredSides): number =>
  heard === undefined || (published !== undefined && heard.epoch !== published.epoch) ? 0 : heard.version

export const desiredStanding = (sides: DesiredSides | undefined): DesiredStanding | null => {
  if (sides === undefined) return null
  const { heard, published } = sides
  // A host that never took anything, and is given nothing, has nothing to say.
  if (published === undefined && (heard === undefined || heard.epoch === null)) return null
  return {
    version: ofThisStore(sides),
    latest: published?.version ?? null,
    stale: heard !== undefined && heard.staleSince !== null,
    drift: heard?.drift ?? null,
    blocked: heard?.blocked ?? 0
  }
}

/** So long a host may report without taking what it is given, or go by what has run out, in milliseconds. */
const patience = 15 * 60_000

/** So long something may be blocked: what waits for a night's window is none of anybody's business until the next day. */
const longBlocked = 24 * 3_600_000

const untaken = ({ heard, published }: DesiredSides): ReadonlyArray<Concern> => {
  if (heard === undefined || published === undefined) return []
  const given = `version ${published.version} of what is wished for it`
  if (heard.epoch !== null && heard.epoch !== published.epoch) {
    return [
      warning(
        "desired.epoch",
        `it goes by another store of the hub, and does not take ${given}: if the hub was restored, sign felhom op ` +
          "desired.accept_epoch, with the epoch that the hub's own machine told then; if not, find out who published that"
      )
    ]
  }
  return heard.epoch !== null && heard.version >= published.version
    ? [
      warning(
        "desired.set-back",
        `it has version ${heard.version} of what is wished for it, and this hub knows ${published.version} at most: was its ` +
          "store set back without hub restore? felhom apply publishes a higher version"
      )
    ]
    : [warning("desired.untaken", `it does not take ${given}: its events say why (felhom events)`)]
}

/** What calls for a person: a host that goes by nothing, by what has run out, or that was kept from it for long. */
export const desiredConcerns = (sides: DesiredSides | undefined, lastSeen: number): ReadonlyArray<Concern> => {
  const heard = sides?.heard
  if (sides === undefined || heard === undefined) return []
  const lasts = (since: number | null, least: number) => since !== null && lastSeen - since >= least
  const lacking = lasts(heard.lackingSince, patience) ? untaken(sides) : []
  return [
    ...lacking,
    ...(lacking.length === 0 && lasts(heard.staleSince, patience)
      ? [
        warning(
          "desired.stale",
          sides.published === undefined
            ? "what it was wished to be has run out, and nothing is published for it here: felhom apply"
            : "what is wished for it has run out by its own word, and it begins nothing new: felhom desired show"
        )
      ]
      : []),
    ...(lasts(heard.blockedSince, longBlocked)
      ? [
        warning(
          "desired.blocked",
          `${heard.blocked} of what is wished for it ${
            heard.blocked === 1 ? "is" : "are"
          } blocked for more than a day: ${heard.example ?? "?"}`
        )
      ]
      : [])
  ]
}
