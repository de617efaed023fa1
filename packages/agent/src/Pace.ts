import { reportIntervalBounds } from "@felhom/domain/Envelope"

const secondsToMillis = 1000

/** Until a hub has said otherwise. */
export const defaultIntervalMillis = 30 * secondsToMillis

/** The longest pause between two tries while the hub is away. */
export const longestRetryMillis = 300 * secondsToMillis

/** What the hub asked for, within the agent's own bounds: a hub can neither silence a host nor have it flood anybody. */
export const boundedInterval = (nextReportSeconds: number): number =>
  Math.min(reportIntervalBounds.maximum, Math.max(reportIntervalBounds.minimum, nextReportSeconds)) * secondsToMillis

/**
 * Milliseconds until the next cycle: the interval, moved by up to a tenth either way, so that hosts which started together
 * (after a power cut, say) do not go on reporting together. `random` is in [0, 1).
 */
export const jittered = (intervalMillis: number, random: number): number =>
  Math.round(intervalMillis * (0.9 + 0.2 * random))

/**
 * Milliseconds until the hub is tried again after `failures` failed tries in a row: doubling from the interval, at most five
 * minutes or the interval, whichever is longer; the second half of it is random.
 */
export const retryDelay = (intervalMillis: number, failures: number, random: number): number => {
  const ceiling = Math.max(intervalMillis, longestRetryMillis)
  const full = Math.min(ceiling, intervalMillis * 2 ** Math.min(failures, 16))
  return Math.round(full * (0.5 + 0.5 * random))
}

/** How long a hub asked to be left alone (`Retry-After`), in milliseconds: an hour at most, so that it can't silence a host. */
export const boundedPause = (seconds: number | undefined): number =>
  Math.min(reportIntervalBounds.maximum, Math.max(0, seconds ?? 0)) * secondsToMillis
