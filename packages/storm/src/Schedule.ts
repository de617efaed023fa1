import { acts, ruled } from "./Actions.ts"
import { calmDown } from "./Calm.ts"
import { Chance } from "./Chance.ts"
import { Convergence } from "./Convergence.ts"
import type { Content } from "./Disk.ts"
import { makeWatches } from "./invariants/all.ts"
import type { Violation } from "./Ledger.ts"
import type { Plan } from "./Plan.ts"
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

/** Runs a plan from its first moment to its last. */
export const run = (
  plan: Plan,
  disk: Content,
  keepsLines = false,
  watches: () => ReadonlyArray<Watch> = makeWatches
): Result => {
  const stage = new Stage({
    seed: plan.seed,
    disk,
    mixing: { outOfTurn: plan.outOfTurn, stepsInARow: plan.stepsInARow },
    interval: plan.interval,
    faults: plan.faults,
    watches: watches(),
    keepsLines
  })
  const { ledger } = stage
  ruled(stage, { allowed: new Set(["anna", "ben"]), threshold: plan.seed % 3 === 0 ? 2 : 1 })
  for (const { at, name, seed } of plan.actions) {
    stage.until(at)
    if (ledger.violation !== undefined) break
    acts[name]?.act(stage, new Chance(seed))
  }
  if (ledger.violation === undefined) {
    stage.until(stage.timeline.elapsed + plan.interval * 500)
    calmDown(stage)
    const answers = stage.hub.answers
    const convergence = new Convergence(stage)
    const enough = () =>
      stage.hub.answers > answers && [...ledger.accepted].every((one) => ledger.ends.has(one)) && convergence.settled()
    stage.until(stage.timeline.elapsed + timeToEnd, enough)
  }
  stage.end()
  return {
    violation: ledger.violation,
    hash: ledger.hash,
    lines: ledger.lines,
    turns: stage.timeline.turns,
    reports: stage.hub.answers,
    lives: stage.lives,
    calls: [...ledger.ops.values()].reduce((sum, { calls }) => sum + calls.length, 0),
    changes: ledger.changes,
    ended: ledger.ends.size
  }
}

/** The disk of a host that has been up for a while, as each schedule begins with it. */
export const firstDisk = (): Content => {
  const stage = new Stage({
    seed: 1,
    disk: new Map(),
    mixing: { outOfTurn: 0, stepsInARow: 2048 },
    interval: 60,
    faults: [],
    watches: [],
    keepsLines: false
  })
  ruled(stage, { allowed: new Set(["anna", "ben"]) })
  stage.until(200_000)
  const disk = stage.disk.present()
  stage.end()
  return disk
}
