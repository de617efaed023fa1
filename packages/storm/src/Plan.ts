import { FaultRule } from "@felhom/pve-sim/Fault"
import { Schema } from "effect"
import { acts } from "./Actions.ts"
import { Chance } from "./Chance.ts"

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

interface FaultKind {
  readonly _tag: string
  readonly [key: string]: unknown
}

const faultKinds: readonly [FaultKind, ...ReadonlyArray<FaultKind>] = [
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
  const fault = chance.pick(faultKinds)
  return decodeRule({
    ...(chance.is(0.5) ? { method: chance.pick(["POST", "DELETE"]) } : {}),
    // Requests are many, and a schedule has a task or two.
    skip: fault._tag === "task" ? chance.below(2) : chance.below(12),
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
  ["submit"],
  ["root", "submit"],
  ["root", "submit", "root"],
  ["strike", "submit"],
  ["strike", "submit", "submit"],
  ["submit", "takenOver"],
  ["submit", "submit", "takenOver"],
  ["hold", "submit", "submit"],
  ["trust", "submit", "submit"],
  ["trust", "root", "submit"],
  ["trust", "root", "submit", "submit"],
  ["submit", "stopped"],
  ["wish", "person"],
  ["wish", "undo"],
  ["wish", "undo", "undo"],
  ["wish", "spam"],
  ["wish", "replaced"],
  ["wish", "wish", "takenOver"],
  ["wish", "thinPool"],
  ["wish", "managed"],
  ["wish", "cluster"],
  ["wish", "rights"],
  ["wish", "foreign"],
  ["wish", "stopped"],
  ["restored", "submit", "wish"],
  ["wish", "restored", "submit", "wish"]
]

/** With a crash, as often as not. */
const crashing: readonly [ReadonlyArray<string>, ...ReadonlyArray<ReadonlyArray<string>>] = [
  ["crash"],
  ["submit", "crash"],
  ["crash", "submit"],
  ["submit", "crash", "submit"],
  ["wish", "crash"],
  ["wish", "crash", "wish"],
  ["wish", "submit", "crash"]
]
const crashes = 0.4

/** What the seed comes to. */
export const planOf = (seed: number): Plan => {
  const chance = new Chance(seed)
  const interval = chance.pick([15, 30, 60])
  const lasts = interval * 1000
  const first = (): Action => ({ at: 1000 + chance.below(lasts / 2), name: "submit", seed: chance.below(2 ** 32) })
  const theme = chance.pick(chance.is(crashes) ? crashing : themes)
  const times = theme.map(() => chance.below(lasts)).sort((one, other) => one - other)
  const actions = [
    ...theme.map((name, at): Action => ({ at: times[at] ?? 0, name, seed: chance.below(2 ** 32) })),
    ...Array.from({ length: chance.below(2) }, first),
    ...Array.from({ length: chance.below(3) }, (): Action => ({
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
