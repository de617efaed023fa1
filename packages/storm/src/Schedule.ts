import * as Console from "@felhom/pve-sim/Console"
import { FaultRule } from "@felhom/pve-sim/Fault"
import { Effect, Schema } from "effect"
import { acts, ruled } from "./Actions.ts"
import { Chance } from "./Chance.ts"
import type { Content } from "./Disk.ts"
import { honest } from "./Hub.ts"
import { makeWatches } from "./invariants/all.ts"
import type { Violation } from "./Ledger.ts"
import { Stage, type Watch } from "./Stage.ts"

/** One thing that happens in a schedule. */
export interface Action {
  readonly at: number
  readonly name: string
  readonly seed: number
}

/** All that a seed says before anything has happened. Deleting actions leaves the others as they are. */
export interface Plan {
  readonly seed: number
  readonly interval: number
  readonly outOfTurn: number
  readonly stepsInARow: number
  readonly faults: ReadonlyArray<FaultRule>
  readonly actions: ReadonlyArray<Action>
}

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

const faultKinds: ReadonlyArray<object> = [
  { _tag: "answer", status: 596, when: "after" },
  { _tag: "answer", status: 595, when: "before" },
  { _tag: "answer", status: 500, message: "no quorum", when: "before" },
  { _tag: "slow", millis: 8000 },
  { _tag: "slow", millis: 70_000 },
  { _tag: "reset", when: "before" },
  { _tag: "reset", when: "after" },
  { _tag: "truncate" },
  { _tag: "padded", bytes: 100_000 },
  { _tag: "task", outcome: "fail", message: "input/output error" },
  { _tag: "task", outcome: "warn", message: "clock skew" },
  { _tag: "task", outcome: "hang", message: "hangs" },
  { _tag: "task", outcome: "vanish", message: "lost" },
  { _tag: "console", change: { _tag: "node.reboot" } }
]

const decodeRule = Schema.decodeUnknownSync(FaultRule)

const ruleOf = (chance: Chance): FaultRule => {
  const fault = chance.any(faultKinds)
  return decodeRule({
    ...(chance.is(0.5) ? { method: chance.pick(["POST", "DELETE"]) } : {}),
    skip: chance.below(12),
    times: chance.between(1, 3),
    chance: chance.is(0.5) ? 1 : 0.3,
    fault
  })
}

const names = Object.keys(acts)
const total = names.reduce((sum, name) => sum + (acts[name]?.weight ?? 0), 0)

const nameBy = (chance: Chance): string => {
  let left = chance.next() * total
  for (const name of names) {
    left -= acts[name]?.weight ?? 0
    if (left < 0) return name
  }
  return "submit"
}

/** Things that go together, in their order: by chance alone they seldom would. */
const themes: readonly [ReadonlyArray<string>, ...ReadonlyArray<ReadonlyArray<string>>] = [
  [],
  ["crash"],
  ["crash"],
  ["root", "submit"],
  ["root", "submit", "root"],
  ["submit", "takenOver"],
  ["wish", "person"],
  ["wish", "replaced"],
  ["wish", "wish", "takenOver"],
  ["wish", "crash"]
]

/** What the seed comes to. */
export const planOf = (seed: number): Plan => {
  const chance = new Chance(seed)
  const interval = chance.pick([15, 30, 60])
  const lasts = chance.between(1, 3) * interval * 1000
  const first = (): Action => ({ at: 1000 + chance.below(lasts / 2), name: "submit", seed: chance.below(2 ** 32) })
  const theme = chance.pick(themes)
  const times = theme.map(() => chance.below(lasts)).sort((one, other) => one - other)
  const actions = [
    ...theme.map((name, at): Action => ({ at: times[at] ?? 0, name, seed: chance.below(2 ** 32) })),
    ...Array.from({ length: chance.between(1, 2) }, first),
    ...Array.from({ length: chance.below(5) }, (): Action => ({
      at: chance.below(lasts),
      name: nameBy(chance),
      seed: chance.below(2 ** 32)
    }))
  ].sort((one, other) => one.at - other.at)
  return {
    seed,
    interval,
    outOfTurn: chance.pick([0, 0.1, 0.5]),
    stepsInARow: chance.pick([2048, 2048, 40]),
    faults: chance.is(0.5) ? Array.from({ length: chance.between(1, 3) }, () => ruleOf(chance)) : [],
    actions
  }
}

/** Everything is as it should be from now on: what is left behind is cleared up, as people do in the end. */
const calmDown = (stage: Stage): void => {
  stage.calm = true
  stage.armed = undefined
  stage.disk.condition = "sound"
  stage.disk.failsAfter = undefined
  stage.hubBackAt = 0
  stage.hub.lies = honest
  stage.hub.interval = 60
  Object.assign(stage.way, { deaf: 0, closed: 0, slow: 0 })
  stage.timeline.offset = 0
  stage.ledger.note("calm")
  const cleared = Effect.gen(function*() {
    for (const name of ["pvedaemon", "pmxcfs"] as const) {
      yield* Console.apply(stage.machine, { _tag: "service.set", name, running: true })
    }
    for (const { vmid } of stage.machine.guests.values()) {
      yield* Console.apply(stage.machine, { _tag: "guest.set", vmid, key: "lock", value: null })
    }
    for (const task of stage.machine.tasks.all) {
      if (task.endTime === undefined) yield* stage.machine.tasks.kill(task)
    }
  })
  stage.begin(Effect.ignore(cleared))
}

/** How long the host has at most once nothing goes wrong any more. Nothing that it waits for takes longer. */
const timeToEnd = 40 * minute

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
    const enough = () => stage.hub.answers > answers && [...ledger.accepted].every((one) => ledger.ends.has(one))
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
