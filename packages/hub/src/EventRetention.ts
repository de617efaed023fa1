import { Schema } from "effect"
import type { SqlText } from "./StoreConnection.ts"

/** What is kept of one host's events: not older than so many days, not more than so many, nor than so many bytes of them. */
export const eventLimits = { days: 400, count: 10_000, bytes: 8 * 1024 * 1024 } as const

const day = 86_400_000

/** The oldest event that is stored, and when it came. */
export const Oldest = Schema.Struct({ receivedAt: Schema.Int })

export const oldestText = (host: string, epoch: string): SqlText => ({
  sql: `SELECT coalesce(received_at, at) AS receivedAt FROM event WHERE host_id = ? AND epoch = ? ORDER BY seq LIMIT 1`,
  parameters: [host, epoch]
})

/** What an epoch's books say of its events; `max` and `prunedThrough` bound how many are stored. */
export interface Extent {
  readonly acked: number
  readonly max: number
  readonly prunedThrough: number
  readonly bytes: number
}

/** Whether something has to go. */
export const isOver = ({ bytes, max, prunedThrough }: Extent, oldest: number | undefined, now: number): boolean =>
  max - prunedThrough > eventLimits.count || bytes > eventLimits.bytes ||
  (oldest !== undefined && oldest < now - eventLimits.days * day)

/** The last of the events that go, and their size; null when none may. */
export const Surplus = Schema.Struct({ through: Schema.NullOr(Schema.Int), bytes: Schema.Int })

/**
 * The oldest acknowledged events that are too old, or too many by a tenth more than have to go, so that not every report prunes.
 * An event that is not acknowledged stays.
 */
export const surplusText = (
  host: string,
  epoch: string,
  { acked, bytes, max, prunedThrough }: Extent,
  now: number
): SqlText => ({
  sql: `SELECT max(seq) AS through, coalesce(max(running), 0) AS bytes FROM (
      SELECT seq, coalesce(received_at, at) AS received, length(CAST(body AS BLOB)) AS size,
        sum(length(CAST(body AS BLOB))) OVER (ORDER BY seq) AS running
      FROM event WHERE host_id = ? AND epoch = ? AND seq <= ?)
    WHERE received < ? OR seq <= ? OR running - size < ?`,
  parameters: [
    host,
    epoch,
    acked,
    now - eventLimits.days * day,
    max - prunedThrough > eventLimits.count ? max - Math.floor(eventLimits.count * 0.9) : 0,
    bytes > eventLimits.bytes ? bytes - Math.floor(eventLimits.bytes * 0.9) : 0
  ]
})

export const pruneText = (host: string, epoch: string, through: number): SqlText => ({
  sql: "DELETE FROM event WHERE host_id = ? AND epoch = ? AND seq <= ?",
  parameters: [host, epoch, through]
})

/** What earlier incarnations of the host said is pruned by its age alone. */
export const formerEpochsText = (host: string, epoch: string, now: number): SqlText => ({
  sql: "DELETE FROM event WHERE host_id = ? AND epoch <> ? AND coalesce(received_at, at) < ?",
  parameters: [host, epoch, now - eventLimits.days * day]
})
