import type { DesiredPolicy, MaintenanceWindow } from "@felhom/domain/DesiredPolicy"

// Of Effect's Cron and DateTime this would be a small part, and they are a large one of what a daemon loads.

const minute = 60_000
const day = 24 * 60 * minute

/** By how many milliseconds a zone's clocks are ahead of UTC at a moment. */
type OffsetAt = (at: number) => number

const fixedOffset = (zone: string): number | undefined => {
  if (zone === "UTC") return 0
  const [, sign, hours, minutes] = /^([+-])(\d{2}):(\d{2})$/.exec(zone) ?? []
  return sign === undefined ? undefined : (sign === "+" ? 1 : -1) * (Number(hours) * 60 + Number(minutes)) * minute
}

const zoneOffset = (timeZone: string): OffsetAt => {
  const fixed = fixedOffset(timeZone)
  if (fixed !== undefined) return () => fixed
  // The policy's schema has looked at it.
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric"
  })
  return (at) => {
    const shown = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? 0
    const wall = Date.UTC(
      part("year"),
      part("month") - 1,
      part("day"),
      part("hour"),
      part("minute"),
      part("second")
    )
    return wall - Math.floor(at / 1000) * 1000
  }
}

/**
 * When a zone's clocks show this wall time, given as if it were UTC. One that they show twice is the first of the two; one that they
 * leap over is as much later as they leap.
 */
const momentOf = (wall: number, offsetAt: OffsetAt): number => {
  const [before, after] = [offsetAt(wall - day), offsetAt(wall + day)]
  const [first, second] = before < after ? [after, before] : [before, after]
  return offsetAt(wall - first) === first ? wall - first : wall - second
}

/** When the window is next open, `now` if it is; milliseconds since the epoch. */
const opening = ({ from, minutes, weekdays }: MaintenanceWindow, offsetAt: OffsetAt, now: number): number => {
  const [hour = 0, at = 0] = from.split(":").map(Number)
  // A window that is open now may have begun a day before.
  const begun = now - minutes * minute
  const first = Math.floor((begun + offsetAt(begun)) / day) * day
  const allowed = new Set(weekdays)
  for (let date = first;; date += day) {
    if (allowed.size > 0 && !allowed.has(new Date(date).getUTCDay())) continue
    const start = momentOf(date + (hour * 60 + at) * minute, offsetAt)
    if (start > begun) return Math.max(start, now)
  }
}

/** The soonest moment at which guests may be disturbed, `now` if they may be at once. Daylight saving is the zone's. */
export const nextOpening = ({ maintenance, timeZone }: DesiredPolicy, now: number): number => {
  if (maintenance.length === 0) return now
  const offsetAt = zoneOffset(timeZone)
  return Math.min(...maintenance.map((window) => opening(window, offsetAt, now)))
}
