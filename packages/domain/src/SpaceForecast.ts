import type { Judgement } from "./DiskHealth.ts"

/** A storage's room at the end of one day, in days since 1970, and bytes. */
export interface SpacePoint {
  readonly day: number
  readonly used: number
  readonly total: number
}

/** When a storage will be full if it goes on as it did. Days from the last point; `late` is infinite where it may not fill at all. */
export interface Forecast {
  /** Bytes a day. */
  readonly pace: number
  readonly days: number
  /** Two standard errors of the pace to either side. */
  readonly early: number
  readonly late: number
}

/** Fewer points, or points of fewer days, say nothing of how it will go on. */
const fewestPoints = 7
const shortestSpan = 7
// A pool's size moves a little with what is written to it.
const sameSize = 0.05

/**
 * A straight line through the days' use (least squares), and how far it may be off. None while there are too few days, or where the
 * use does not grow beyond what chance explains. A storage that was made larger or smaller begins anew.
 */
export const forecastOf = (points: ReadonlyArray<SpacePoint>): Forecast | undefined => {
  const total = points.at(-1)?.total ?? 0
  const resized = points.findLastIndex((point) => Math.abs(point.total - total) > sameSize * total)
  const same = points.slice(resized + 1)
  const first = same[0]
  const last = same.at(-1)
  if (first === undefined || last === undefined || same.length < fewestPoints) return undefined
  if (last.day - first.day < shortestSpan) return undefined
  const count = same.length
  const meanDay = same.reduce((sum, { day }) => sum + day, 0) / count
  const meanUsed = same.reduce((sum, { used }) => sum + used, 0) / count
  const spread = same.reduce((sum, { day }) => sum + (day - meanDay) ** 2, 0)
  const pace = same.reduce((sum, { day, used }) => sum + (day - meanDay) * (used - meanUsed), 0) / spread
  const off = same.reduce((sum, { day, used }) => sum + (used - meanUsed - pace * (day - meanDay)) ** 2, 0)
  const error = Math.sqrt(off / (count - 2) / spread)
  const least = pace - 2 * error
  if (pace <= 0 || least <= 0) return undefined
  const room = Math.max(0, last.total - last.used)
  return { pace, days: room / pace, early: room / (pace + 2 * error), late: room / least }
}

const warnWithin = 30
const failWithin = 7
const nearlyFull = 0.95
const full = 0.99

const whole = (days: number): string => days >= 365 ? "more than a year" : `${Math.floor(days)}`

/** How a storage's room is, and when it will be gone by the days before. */
export const judgeSpace = (points: ReadonlyArray<SpacePoint>): Judgement => {
  const last = points.at(-1)
  if (last === undefined || last.total <= 0) return { state: "unknown", reasons: ["how full it is was not read yet"] }
  const share = last.used / last.total
  const percent = Math.floor(share * 100)
  const found = forecastOf(points)
  const span = last.day - (points[0]?.day ?? last.day)
  const when = found === undefined
    ? undefined
    : `full in about ${whole(found.days)} days (${whole(found.early)} to ${
      whole(found.late)
    }) if it goes on as in the ` +
      `last ${span} days`
  const words = (state: Judgement["state"], now: string): Judgement => ({
    state,
    reasons: [now, ...(when === undefined ? [] : [when])]
  })
  if (share >= full) return words("fail", `it is ${percent} % full`)
  if (found !== undefined && found.days <= failWithin) return words("fail", `it is ${percent} % full`)
  if (share >= nearlyFull || (found !== undefined && found.days <= warnWithin)) {
    return words("warn", `it is ${percent} % full`)
  }
  return { state: "ok", reasons: [] }
}
