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
  const [, year = "", month = "", day = "", hour = "00", minute = "00", second = "00"] = found
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  // What no calendar has comes out as another moment, and a year before 100 as one of another century.
  const exists = new Date(at).toISOString() === `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  return exists && at > 0 ? Option.some(EpochMillis.make(at)) : Option.none()
}
