import type { Violation } from "./Ledger.ts"
import { type Plan, planOf } from "./Plan.ts"
import { firstDisk, type Result, run } from "./Schedule.ts"
import { shrunk } from "./Shrink.ts"

export interface Wanted {
  readonly schedules: number
  /** The first schedule's; the others have those after it. */
  readonly seed: number
  /** Ends with the first violation of any invariant. */
  readonly untilOne: boolean
  /** Leaves out of what goes wrong whatever it goes wrong without; that takes some dozen runs of it. */
  readonly shrinks: boolean
}

/** A schedule that went wrong, as it was and as little of it as still goes wrong. */
export interface Found {
  readonly seed: number
  readonly violation: Violation
  readonly plan: Plan
  readonly lines: ReadonlyArray<string>
}

export interface Campaign {
  readonly schedules: number
  readonly found: ReadonlyArray<Found>
  readonly violations: number
  /** What they came to, so that a campaign in which nothing happens shows. */
  readonly reports: number
  readonly lives: number
  readonly calls: number
  readonly changes: number
  readonly ended: number
}

/** More than this many are counted and not looked into. */
const mostShrunk = 5

const lookedInto = (plan: Plan, violation: Violation, disk: ReturnType<typeof firstDisk>, shrinks: boolean): Found => {
  const least = shrinks ? shrunk(plan, violation, disk) : plan
  const { lines, violation: again } = run(least, disk, true)
  return { seed: plan.seed, plan: least, violation: again ?? violation, lines }
}

/** Runs one schedule after the other. */
export const storm = (
  { schedules, seed, shrinks, untilOne }: Wanted,
  told: (done: number, result: Result) => void = () => undefined
): Campaign => {
  const disk = firstDisk()
  const found: Array<Found> = []
  const sums = { reports: 0, lives: 0, calls: 0, changes: 0, ended: 0 }
  let violations = 0
  let done = 0
  while (done < schedules) {
    const plan = planOf(seed + done)
    const result = run(plan, disk)
    done += 1
    sums.reports += result.reports
    sums.lives += result.lives
    sums.calls += result.calls
    sums.changes += result.changes
    sums.ended += result.ended
    told(done, result)
    if (result.violation === undefined) continue
    violations += 1
    if (found.length < mostShrunk) found.push(lookedInto(plan, result.violation, disk, shrinks))
    if (untilOne) break
  }
  return { schedules: done, found, violations, ...sums }
}

/** One schedule, line by line. */
export const replay = (seed: number): Result => run(planOf(seed), firstDisk(), true)
