import { worldSize } from "@felhom/storm/Storm"
import { fork } from "node:child_process"

/** What schedules came to, so far or in the end. */
export interface Sums {
  readonly schedules: number
  readonly violations: number
  readonly reports: number
  readonly lives: number
  readonly calls: number
  readonly changes: number
  readonly ended: number
  /** What one core took for them: of several processes it is the sum. */
  readonly seconds: number
}

export const noSums: Sums = {
  schedules: 0,
  violations: 0,
  reports: 0,
  lives: 0,
  calls: 0,
  changes: 0,
  ended: 0,
  seconds: 0
}

const plus = (one: Sums, other: Sums): Sums => ({
  schedules: one.schedules + other.schedules,
  violations: one.violations + other.violations,
  reports: one.reports + other.reports,
  lives: one.lives + other.lives,
  calls: one.calls + other.calls,
  changes: one.changes + other.changes,
  ended: one.ended + other.ended,
  seconds: one.seconds + other.seconds
})

/** Seeds that one process runs. */
export interface Share {
  readonly seed: number
  readonly schedules: number
}

/** So many shares of the seeds, as equal as can be when each but the first begins a world: none is run before another's first. */
export const sharesOf = ({ schedules, seed }: Share, jobs: number): ReadonlyArray<Share> => {
  const bounds = Array.from({ length: jobs + 1 }, (_, at) => {
    const exact = seed + (schedules * at) / jobs
    const world = Math.round(exact / worldSize) * worldSize
    return at === 0 || at === jobs ? exact : Math.min(seed + schedules, Math.max(seed, world))
  })
  return bounds.slice(1).map((end, at) => ({ seed: bounds[at] ?? seed, schedules: end - (bounds[at] ?? seed) }))
    .filter((share) => share.schedules > 0)
}

/**
 * Runs a campaign in processes of this very program, which show what they find and say by messages how far they are. One violation
 * ends them all.
 */
export const inJobs = (
  shares: ReadonlyArray<Share>,
  options: ReadonlyArray<string>,
  told: (so: Sums) => void
): Promise<Sums> =>
  new Promise((resolve, reject) => {
    const program = process.argv[1] ?? ""
    const sums = shares.map(() => noSums)
    const sum = () => sums.reduce(plus, noSums)
    const children = shares.map(({ schedules, seed }) =>
      fork(program, ["--schedules", String(schedules), "--seed", String(seed), ...options])
    )
    const end = () => {
      for (const child of children) child.kill()
    }
    process.once("SIGINT", () => process.exit(130))
    process.once("SIGTERM", () => process.exit(143))
    process.once("exit", end)
    let running = children.length
    for (const [at, child] of children.entries()) {
      child.on("message", (so) => {
        // Both ends are this program.
        sums[at] = so as Sums
        told(sum())
      })
      child.on("error", reject)
      child.on("exit", (code, signal) => {
        running -= 1
        const { violations } = sum()
        if (code !== 0 && violations === 0) {
          end()
          reject(new Error(`the process for the seeds from ${shares[at]?.seed} ended with ${signal ?? code}`))
        }
        if (code !== 0) end()
        if (running === 0) resolve(sum())
      })
    }
  })
