import { reportIntervalBounds } from "@felhom/domain/Envelope"
import type { HostSummary } from "@felhom/domain/HubApi"

/** The interval that an agent really keeps when it was asked for `seconds`: it never leaves its own bounds. */
const keptInterval = (seconds: number): number =>
  Math.min(reportIntervalBounds.maximum, Math.max(reportIntervalBounds.minimum, seconds))

/**
 * Whether a host still speaks. `promisedSeconds` is what its last envelope asked for. A report may be half an interval late
 * before that is worth a word: agents add jitter, and a cycle takes its time.
 */
export const presenceOf = (lastSeen: number, promisedSeconds: number, now: number): HostSummary["presence"] => {
  const interval = keptInterval(promisedSeconds) * 1000
  const since = now - lastSeen
  return since > 3 * interval ? "silent" : since > 1.5 * interval ? "late" : "online"
}
