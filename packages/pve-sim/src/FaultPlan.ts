import type { Fault, FaultRule } from "./Fault.ts"

/** Numbers from 0 to 1 that a seed alone decides (mulberry32). */
const numbersOf = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** What a pattern with stars fits. */
const fitting = (pattern: string): RegExp =>
  new RegExp(`^${pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "s")

interface State {
  readonly rule: FaultRule
  readonly path: RegExp
  readonly type: RegExp
  seen: number
  happened: number
}

type TaskFault = Extract<Fault, { readonly _tag: "task" }>
export type RequestFault = Exclude<Fault, TaskFault>

/** Which faults happen when. The same rules, seed and requests give the same faults. */
export class FaultPlan {
  #rules: ReadonlyArray<State> = []
  #number: () => number = () => 0

  constructor(rules: ReadonlyArray<FaultRule>, seed: number) {
    this.replace(rules, seed)
  }

  /** From now on these happen, and none of those before. */
  replace(rules: ReadonlyArray<FaultRule>, seed: number): void {
    this.#rules = rules.map((rule) => ({
      rule,
      path: fitting(rule.path),
      type: fitting(rule.type),
      seen: 0,
      happened: 0
    }))
    this.#number = numbersOf(seed)
  }

  /** What happens to a request; `path` is the decoded one below the format. */
  ofRequest(method: string, path: string): ReadonlyArray<RequestFault> {
    return this.#due(({ path: pattern, rule }) =>
      rule.fault._tag !== "task" && (rule.method ?? method) === method && pattern.test(path)
    ).flatMap((fault) => fault._tag === "task" ? [] : [fault])
  }

  /** What happens to a worker. */
  ofTask(type: string): ReadonlyArray<TaskFault> {
    return this.#due(({ rule, type: pattern }) => rule.fault._tag === "task" && pattern.test(type))
      .flatMap((fault) => fault._tag === "task" ? [fault] : [])
  }

  #due(fits: (state: State) => boolean): ReadonlyArray<Fault> {
    return this.#rules.flatMap((state) => {
      const { rule } = state
      if (!fits(state) || state.seen++ < rule.skip) return []
      if (rule.times > 0 && state.happened >= rule.times) return []
      // A sure fault takes no number, so that adding one does not change what the others do.
      if (rule.chance < 1 && this.#number() >= rule.chance) return []
      state.happened++
      return [rule.fault]
    })
  }
}

/** A mixture of faults that a seed alone decides: most of what can go wrong at a home, each now and then. */
export const rulesOfSeed = (seed: number): ReadonlyArray<FaultRule> => {
  const number = numbersOf(seed ^ 0x5eed)
  const candidates: ReadonlyArray<Fault> = [
    { _tag: "answer", status: 596, when: "after" },
    { _tag: "answer", status: 595, when: "before" },
    { _tag: "answer", status: 500, message: "no quorum", when: "before" },
    { _tag: "slow", millis: 8000 },
    { _tag: "reset", when: "before" },
    { _tag: "reset", when: "after" },
    { _tag: "truncate" },
    { _tag: "task", outcome: "fail", message: "input/output error" },
    { _tag: "task", outcome: "warn", message: "clock skew" },
    { _tag: "task", outcome: "hang", message: "hangs" },
    { _tag: "task", outcome: "vanish", message: "lost" },
    { _tag: "certificate", serve: "renewed", alternating: 5 },
    { _tag: "console", change: { _tag: "node.reboot" } }
  ]
  return candidates.filter(() => number() < 0.6).map((fault) => ({
    path: "*",
    type: "*",
    skip: Math.floor(number() * 20),
    times: 1 + Math.floor(number() * 3),
    chance: 0.02 + number() * 0.1,
    fault
  }))
}
