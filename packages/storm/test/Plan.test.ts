import { describe, expect, it } from "@effect/vitest"
import { acts } from "@felhom/storm/Actions"
import { planOf } from "@felhom/storm/Plan"

const seeds = Array.from({ length: 3000 }, (_, index) => index + 1)

describe("what seeds come to", () => {
  it("has everything in it that can happen, and nothing else", () => {
    const drawn = new Set(seeds.flatMap((seed) => planOf(seed).actions.map(({ name }) => name)))
    expect([...drawn].sort()).toEqual(Object.keys(acts).sort())
  })

  it("has every fault in it, and a crash in a third of all schedules or more", () => {
    const plans = seeds.map(planOf)
    const faults = new Set(plans.flatMap((plan) => plan.faults.map(({ fault }) => fault._tag)))
    expect([...faults].sort()).toEqual(["answer", "console", "padded", "reset", "slow", "task", "truncate"])
    const crashing = plans.filter(({ actions }) => actions.some(({ name }) => name === "crash"))
    expect(crashing.length).toBeGreaterThan(1000)
  })

  it("is the same each time, and in the order of time", () => {
    for (const seed of seeds.slice(0, 50)) {
      const { actions } = planOf(seed)
      expect(planOf(seed).actions).toEqual(actions)
      expect(actions.map(({ at }) => at)).toEqual(actions.map(({ at }) => at).sort((one, other) => one - other))
    }
  })
})
