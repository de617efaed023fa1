import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"

const minute = 60_000
const day = 24 * 60 * minute
const gib = 1024 ** 3

/**
 * What this host did of late, from its durable counters; times in milliseconds since the epoch. What is older than a week counts
 * for nothing and may be left out. What lies ahead of the clock counts as just done.
 */
export interface Counts {
  /** Guests that were stopped, started or changed, by `identityText`, each with the last time. */
  readonly touched: ReadonlyMap<string, number>
  readonly created: ReadonlyArray<number>
  readonly grown: ReadonlyArray<{ readonly at: number; readonly bytes: number }>
}

export const nothingDone: Counts = { touched: new Map(), created: [], grown: [] }

/** Why a cap keeps something back, and until when; null: for good. */
export interface Capped {
  readonly until: number | null
  readonly reason: string
}

const recent = (times: Iterable<number>, now: number, millis: number): ReadonlyArray<number> =>
  [...times].map((at) => Math.min(at, now)).filter((at) => at > now - millis).sort((one, other) => one - other)

/** When so few of the times are left within the span that one more fits; they are sorted. */
const roomAt = (times: ReadonlyArray<number>, most: number, millis: number): number | null => {
  const leaving = most === 0 ? undefined : times[times.length - most]
  return leaving === undefined ? null : leaving + millis
}

/** A guest that was touched already within the window is no further one. */
export const touchCapped = (policy: DesiredPolicy, counts: Counts, who: string, now: number): Capped | undefined => {
  const { guests, minutes } = policy.blastRadius
  const millis = minutes * minute
  const before = counts.touched.get(who)
  if (before !== undefined && before > now - millis) return undefined
  const times = recent(counts.touched.values(), now, millis)
  return times.length < guests ? undefined : {
    until: roomAt(times, guests, millis),
    reason:
      `${times.length} guests were stopped, started or changed within ${minutes} minutes, and the policy allows ${guests}`
  }
}

export const creationCapped = (policy: DesiredPolicy, counts: Counts, now: number): Capped | undefined => {
  const most = policy.caps.creations
  const times = recent(counts.created, now, day)
  return times.length < most ? undefined : {
    until: roomAt(times, most, day),
    reason: `${times.length} guests were made within 24 hours, and the policy allows ${most}`
  }
}

export const growthCapped = (policy: DesiredPolicy, counts: Counts, bytes: number, now: number): Capped | undefined => {
  const most = policy.caps.grownGib * gib
  const recently = counts.grown.map(({ at, bytes }) => ({ at: Math.min(at, now), bytes }))
    .filter(({ at }) => at > now - day).sort((one, other) => one.at - other.at)
  let left = recently.reduce((sum, one) => sum + one.bytes, 0)
  if (left + bytes <= most) return undefined
  const reason = `volumes have grown by ${
    Math.ceil(left / gib)
  } GiB within 24 hours, and the policy allows ${policy.caps.grownGib}`
  const leaving = recently.find((one) => {
    left -= one.bytes
    return left + bytes <= most
  })
  // What is more than a day's growth by itself never fits.
  return { until: leaving === undefined ? null : leaving.at + day, reason }
}
