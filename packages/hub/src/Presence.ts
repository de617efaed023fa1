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

/** Agents try a hub that was away again after five minutes at most; one more for the report itself, in milliseconds. */
const longestReturn = 360_000

/**
 * The same by a hub that has heard its hosts since `hubSince` only. A host that it heard before and not since is called silent
 * when it had the time to come back, or when it was known to be silent before the hub went away.
 */
export const fairPresence = (
  host: { readonly lastSeen: number; readonly promisedSeconds: number; readonly wasSilent: boolean },
  hubSince: number,
  now: number
): HostSummary["presence"] => {
  const plain = presenceOf(host.lastSeen, host.promisedSeconds, now)
  if (plain !== "silent" || host.lastSeen >= hubSince || host.wasSilent) return plain
  return now - hubSince > Math.max(longestReturn, 3 * keptInterval(host.promisedSeconds) * 1000) ? "silent" : "late"
}
