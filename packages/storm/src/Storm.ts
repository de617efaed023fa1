import type { Content } from "./Disk.ts"
import type { Violation } from "./Ledger.ts"
import { type Plan, planOf } from "./Plan.ts"
import { Course, firstDisk, type Result, runAfter } from "./Schedule.ts"
import { shrunk, type Told } from "./Shrink.ts"

export interface Wanted {
  readonly schedules: number
  /** The first schedule's; the others have those after it. */
  readonly seed: number
  /** Ends with the first violation of any invariant, or of the one that is named. */
  readonly untilOne: boolean | Violation["invariant"]
  /** Leaves out of what goes wrong whatever it goes wrong without; that takes some dozen runs of it. */
  readonly shrinks: boolean
}

/** A schedule that went wrong, as it was and as little of it as still goes wrong. */
export interface Found extends Told {
  readonly seed: number
  readonly violation: Violation
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

/** So many seeds share a world, one after the other; the first of them is a multiple of it. */
export const worldSize = 64

/** Those that come before this one in its world. */
const earlierThan = (seed: number): ReadonlyArray<Plan> =>
  Array.from({ length: seed % worldSize }, (_, at) => planOf(seed - (seed % worldSize) + at))

const lookedInto = (seed: number, violation: Violation, disk: Content, shrinks: boolean): Found => {
  const told: Told = { earlier: earlierThan(seed), plan: planOf(seed) }
  const { earlier, plan } = shrinks ? shrunk(told, violation, disk) : told
  const { lines, violation: again } = runAfter(earlier, plan, disk, true)
  return { seed, earlier, plan, violation: again ?? violation, lines }
}

/** Runs one schedule after the other. What comes of each is its seed's alone, wherever one begins. */
export const storm = (
  { schedules, seed, shrinks, untilOne }: Wanted,
  told: (done: number, result: Result) => void = () => undefined
): Campaign => {
  const disk = firstDisk()
  const found: Array<Found> = []
  const sums = { reports: 0, lives: 0, calls: 0, changes: 0, ended: 0 }
  let violations = 0
  let done = 0
  let course = new Course(disk)
  for (const plan of earlierThan(seed)) course.run(plan)
  while (done < schedules) {
    const now = seed + done
    if (now % worldSize === 0) {
      course.end()
      course = new Course(disk)
    }
    const result = course.run(planOf(now))
    done += 1
    sums.reports += result.reports
    sums.lives += result.lives
    sums.calls += result.calls
    sums.changes += result.changes
    sums.ended += result.ended
    told(done, result)
    if (result.violation === undefined) continue
    violations += 1
    const isLast = untilOne === true || untilOne === result.violation.invariant
    if (found.length < mostShrunk || isLast) found.push(lookedInto(now, result.violation, disk, shrinks))
    if (isLast) break
  }
  course.end()
  return { schedules: done, found, violations, ...sums }
}

/** One schedule, line by line, where those before it in its world end. */
export const replay = (seed: number): Result => runAfter(earlierThan(seed), planOf(seed), firstDisk(), true)
