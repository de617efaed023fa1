import { acts } from "./Actions.ts"
import { begin, firstRules, isFit } from "./Between.ts"
import { calmDown } from "./Calm.ts"
import { Chance } from "./Chance.ts"
import { Convergence } from "./Convergence.ts"
import type { Content } from "./Disk.ts"
import { makeWatches } from "./invariants/all.ts"
import type { Violation } from "./Ledger.ts"
import type { Plan } from "./Plan.ts"
import { ruled } from "./RootFiles.ts"
import { Stage, type Watch } from "./Stage.ts"

export interface Result {
  readonly violation: Violation | undefined
  /** Two runs of one plan have it in common. */
  readonly hash: number
  readonly lines: ReadonlyArray<string>
  readonly turns: number
  readonly reports: number
  readonly lives: number
  /** Calls that reached Proxmox: destructive ones, and those that only changed something. */
  readonly calls: number
  readonly changes: number
  /** Ops that came to an end. */
  readonly ended: number
}

const minute = 60_000

/** How long the host has at most once nothing goes wrong any more. Nothing that it waits for takes longer. */
const timeToEnd = 80 * minute

/** What has happened so far in a world. */
const countsOf = ({ hub, ledger, lives, timeline }: Stage) => ({
  turns: timeline.turns,
  reports: hub.answers,
  lives,
  calls: ledger.destroyed,
  changes: ledger.changes,
  ended: ledger.ends.size
})

/** Plays a plan on a stage on which it begins. */
const played = (stage: Stage, plan: Plan): void => {
  const { ledger, timeline } = stage
  firstRules(stage, plan)
  // Nothing comes of what happens long before the host's next report but that report: it falls among what happens.
  const lead = new Chance(plan.seed).below(plan.interval * 1000)
  stage.until(timeline.elapsed + Math.max(0, stage.hub.nextAt - timeline.trueTime - lead))
  const begun = timeline.elapsed
  for (const { at, name, seed } of plan.actions) {
    stage.until(begun + at)
    if (ledger.violation !== undefined) return
    acts[name]?.act(stage, new Chance(seed))
  }
  stage.until(Math.max(timeline.elapsed, begun + plan.interval * 1000))
  if (ledger.violation !== undefined) return
  calmDown(stage)
  const answers = stage.hub.answers
  const convergence = new Convergence(stage)
  const enough = () =>
    stage.hub.answers > answers && (stage.hub.isHeard || stage.hub.answers > answers + 1) &&
    [...ledger.accepted].every((one) => ledger.ends.has(one)) && convergence.settled()
  stage.until(timeline.elapsed + timeToEnd, enough)
}

/** A line of schedules, each of which begins where the one before ended, as long as that is a place to begin. */
export class Course {
  readonly #disk: Content
  readonly #keepsLines: boolean
  readonly #watches: () => ReadonlyArray<Watch>
  #stage: Stage | undefined

  constructor(disk: Content, keepsLines = false, watches: () => ReadonlyArray<Watch> = makeWatches) {
    this.#disk = disk
    this.#keepsLines = keepsLines
    this.#watches = watches
  }

  #stageFor(plan: Plan): Stage {
    const before = this.#stage
    if (before !== undefined && isFit(before)) {
      begin(before, plan)
      return before
    }
    before?.end()
    this.#stage = new Stage({
      seed: plan.seed,
      disk: this.#disk,
      mixing: { outOfTurn: plan.outOfTurn, stepsInARow: plan.stepsInARow },
      interval: plan.interval,
      faults: plan.faults,
      watches: this.#watches(),
      keepsLines: this.#keepsLines
    })
    return this.#stage
  }

  /** Runs a plan from its first moment to its last. */
  run(plan: Plan): Result {
    const stage = this.#stageFor(plan)
    const { ledger } = stage
    const before = countsOf(stage)
    const linesBefore = ledger.lines.length
    ledger.note(`schedule ${plan.seed} begins`)
    played(stage, plan)
    stage.judge()
    const after = countsOf(stage)
    return {
      violation: ledger.violation,
      hash: ledger.hash,
      lines: ledger.lines.slice(linesBefore),
      turns: after.turns - before.turns,
      reports: after.reports - before.reports,
      lives: after.lives - before.lives,
      calls: after.calls - before.calls,
      changes: after.changes - before.changes,
      ended: after.ended - before.ended
    }
  }

  end(): void {
    this.#stage?.end()
    this.#stage = undefined
  }
}

/** Runs a plan after others, where they end; tells what came of it alone. */
export const runAfter = (
  earlier: ReadonlyArray<Plan>,
  plan: Plan,
  disk: Content,
  keepsLines = false,
  watches: () => ReadonlyArray<Watch> = makeWatches
): Result => {
  const course = new Course(disk, keepsLines, watches)
  for (const one of earlier) course.run(one)
  const result = course.run(plan)
  course.end()
  return result
}

/** Runs a plan where nothing was before. */
export const run = (
  plan: Plan,
  disk: Content,
  keepsLines = false,
  watches: () => ReadonlyArray<Watch> = makeWatches
): Result => runAfter([], plan, disk, keepsLines, watches)

/** A world in which nothing happens by itself, and fibers go on in the order in which they have waited. */
export const quietStage = (options: Partial<ConstructorParameters<typeof Stage>[0]> = {}): Stage =>
  new Stage({
    seed: 1,
    disk: new Map(),
    mixing: { outOfTurn: 0, stepsInARow: 2048 },
    interval: 60,
    faults: [],
    watches: [],
    keepsLines: false,
    ...options
  })

/** The disk of a host that has been up for a while, as each schedule begins with it. */
export const firstDisk = (): Content => {
  const stage = quietStage()
  ruled(stage, { allowed: new Set(["anna", "ben"]) })
  stage.until(200_000)
  const disk = stage.disk.present()
  stage.end()
  return disk
}
