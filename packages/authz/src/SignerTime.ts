import { EpochMillis } from "@felhom/domain/Time"
import { Option } from "effect"

const form = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?Z$/

/**
 * `YYYYMMDDZ`, `YYYYMMDDHHMMZ` or `YYYYMMDDHHMMSSZ`, as in ssh-keygen(1), after 1970 began. Without the `Z` it would mean
 * another moment on each host, and a date that no calendar has would silently become the next one that it has: both are none.
 */
export const readSignerTime = (text: string): Option.Option<EpochMillis> => {
  const found = form.exec(text)
  if (found === null) return Option.none()
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map((part) =>
    part === undefined ? 0 : Number(part)
  )
  const at = Date.UTC(year, month - 1, day, hour, minute, second)
  // Years before 100 become 19xx here; they come out as another year, as all that overflows does.
  const back = new Date(at)
  const same = back.getUTCFullYear() === year && back.getUTCMonth() === month - 1 && back.getUTCDate() === day &&
    back.getUTCHours() === hour && back.getUTCMinutes() === minute && back.getUTCSeconds() === second
  return same && at > 0 ? Option.some(EpochMillis.make(at)) : Option.none()
}
