import type { Content } from "./Disk.ts"
import type { Violation } from "./Ledger.ts"
import type { Plan } from "./Plan.ts"
import { run } from "./Schedule.ts"
import type { Watch } from "./Stage.ts"

const without = <A>(all: ReadonlyArray<A>, at: number): ReadonlyArray<A> => all.filter((_, index) => index !== at)

/** The plans that have one thing less in them; the last thing goes first, as what came after the violation did nothing. */
const smaller = function*(plan: Plan): Generator<Plan> {
  for (let at = plan.actions.length - 1; at >= 0; at--) yield { ...plan, actions: without(plan.actions, at) }
  for (let at = plan.faults.length - 1; at >= 0; at--) yield { ...plan, faults: without(plan.faults, at) }
  if (plan.outOfTurn > 0) yield { ...plan, outOfTurn: 0 }
  if (plan.stepsInARow < 2048) yield { ...plan, stepsInARow: 2048 }
}

/** A plan from which nothing can be left out without what went wrong staying away. */
export const shrunk = (
  plan: Plan,
  { invariant }: Violation,
  disk: Content,
  watches?: () => ReadonlyArray<Watch>
): Plan => {
  let least = plan
  for (let again = true; again;) {
    again = false
    for (const candidate of smaller(least)) {
      if (run(candidate, disk, false, watches).violation?.invariant !== invariant) continue
      least = candidate
      again = true
      break
    }
  }
  return least
}
