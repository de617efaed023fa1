import type { Content } from "./Disk.ts"
import type { Violation } from "./Ledger.ts"
import type { Plan } from "./Plan.ts"
import { runAfter } from "./Schedule.ts"
import type { Watch } from "./Stage.ts"

/** A schedule with those that came before it in its world. */
export interface Told {
  readonly earlier: ReadonlyArray<Plan>
  readonly plan: Plan
}

const without = <A>(all: ReadonlyArray<A>, at: number, many = 1): ReadonlyArray<A> =>
  all.filter((_, index) => index < at || index >= at + many)

/** With fewer schedules before it: without any, without halves, quarters and so on, down to one less. */
const shorter = function*({ earlier, plan }: Told): Generator<Told> {
  for (let many = earlier.length; many >= 1; many = many === 1 ? 0 : Math.ceil(many / 2)) {
    for (let at = 0; at < earlier.length; at += many) yield { earlier: without(earlier, at, many), plan }
  }
}

/** With one thing less in it; the last thing goes first, as what came after the violation did nothing. */
const smaller = function*({ earlier, plan }: Told): Generator<Told> {
  for (let at = plan.actions.length - 1; at >= 0; at--) {
    yield { earlier, plan: { ...plan, actions: without(plan.actions, at) } }
  }
  for (let at = plan.faults.length - 1; at >= 0; at--) {
    yield { earlier, plan: { ...plan, faults: without(plan.faults, at) } }
  }
  if (plan.outOfTurn > 0) yield { earlier, plan: { ...plan, outOfTurn: 0 } }
  if (plan.stepsInARow < 2048) yield { earlier, plan: { ...plan, stepsInARow: 2048 } }
}

/** A schedule and as few before it, from which nothing can be left out without what went wrong staying away. */
export const shrunk = (
  told: Told,
  { invariant }: Violation,
  disk: Content,
  watches?: () => ReadonlyArray<Watch>
): Told => {
  let least = told
  const goesWrong = ({ earlier, plan }: Told): boolean =>
    runAfter(earlier, plan, disk, false, watches).violation?.invariant === invariant
  for (const less of [shorter, smaller]) {
    for (let again = true; again;) {
      again = false
      for (const candidate of less(least)) {
        if (!goesWrong(candidate)) continue
        least = candidate
        again = true
        break
      }
    }
  }
  return least
}
