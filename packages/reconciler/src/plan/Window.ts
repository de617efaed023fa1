import type { DesiredPolicy, MaintenanceWindow } from "@felhom/domain/DesiredPolicy"
import { Cron, DateTime, Option } from "effect"

const minute = 60_000

/** When the window is next open, `now` if it is; milliseconds since the epoch. */
const opening = ({ from, minutes, weekdays }: MaintenanceWindow, zone: DateTime.TimeZone, now: number): number => {
  const [hour = 0, at = 0] = from.split(":").map(Number)
  const starts = Cron.make({ seconds: [0], minutes: [at], hours: [hour], days: [], months: [], weekdays, tz: zone })
  // The first start after the last moment at which a window could have begun that is over by now.
  const start = Cron.next(starts, new Date(now - minutes * minute)).getTime()
  return start <= now ? now : start
}

/** The soonest moment at which guests may be disturbed, `now` if they may be at once. Daylight saving is the zone's. */
export const nextOpening = ({ maintenance, timeZone }: DesiredPolicy, now: number): number => {
  // The policy's schema has looked at it.
  const zone = Option.getOrThrow(DateTime.zoneFromString(timeZone))
  return maintenance.length === 0
    ? now
    : Math.min(...maintenance.map((window) => opening(window, zone, now)))
}
