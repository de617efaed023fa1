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

const matches = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "s")
    .test(text)

type TaskFault = Extract<Fault, { readonly _tag: "task" }>
export type RequestFault = Exclude<Fault, TaskFault>

/** Which faults happen when. The same rules, seed and requests give the same faults. */
export class FaultPlan {
  #rules: ReadonlyArray<{ readonly rule: FaultRule; seen: number; happened: number }> = []
  #number: () => number = () => 0

  constructor(rules: ReadonlyArray<FaultRule>, seed: number) {
    this.replace(rules, seed)
  }

  /** From now on these happen, and none of those before. */
  replace(rules: ReadonlyArray<FaultRule>, seed: number): void {
    this.#rules = rules.map((rule) => ({ rule, seen: 0, happened: 0 }))
    this.#number = numbersOf(seed)
  }

  /** What happens to a request; `path` is the decoded one below the format. */
  ofRequest(method: string, path: string): ReadonlyArray<RequestFault> {
    return this.#due(({ fault, ...rule }) =>
      fault._tag !== "task" && (rule.method ?? method) === method && matches(rule.path, path)
    ).flatMap((fault) => fault._tag === "task" ? [] : [fault])
  }

  /** What happens to a worker. */
  ofTask(type: string): ReadonlyArray<TaskFault> {
    return this.#due(({ fault, ...rule }) => fault._tag === "task" && matches(rule.type, type))
      .flatMap((fault) => fault._tag === "task" ? [fault] : [])
  }

  #due(fits: (rule: FaultRule) => boolean): ReadonlyArray<Fault> {
    return this.#rules.flatMap((state) => {
      const { rule } = state
      if (!fits(rule) || state.seen++ < rule.skip) return []
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
