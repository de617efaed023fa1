import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Schedule } from "effect"

const patience = Schedule.intersect(Schedule.spaced("30 seconds"), Schedule.recurs(10))

const passing: ReadonlySet<ProxmoxError["reason"]> = new Set([
  "unreachable",
  "not-started",
  "lock-timeout",
  "no-quorum",
  "refused-certificate"
])

/**
 * A reading that fails because the host is busy or restarts is tried for five minutes: what it is for is begun and can wait.
 */
export const patiently = <A, R>(effect: Effect.Effect<A, ProxmoxError, R>): Effect.Effect<A, ProxmoxError, R> =>
  Effect.retry(effect, { schedule: patience, while: ({ reason }) => passing.has(reason) })
