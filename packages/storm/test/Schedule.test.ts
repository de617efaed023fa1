import { describe, expect, it } from "@effect/vitest"
import { destructionOf } from "@felhom/storm/Destruction"
import { makeWatches } from "@felhom/storm/invariants/all"
import { planOf } from "@felhom/storm/Plan"
import { Course, firstDisk, run, runAfter } from "@felhom/storm/Schedule"
import { shrunk } from "@felhom/storm/Shrink"
import type { Watch } from "@felhom/storm/Stage"
import { storm } from "@felhom/storm/Storm"

const disk = firstDisk()

/** Takes each destructive call for something that must never be. */
const nothingIsDestroyed: Watch = {
  request: ({ ledger }, asked) => {
    if (destructionOf(asked) !== undefined) ledger.violated("I99", asked.path)
  }
}

/** The first seed from here on whose schedule has such a call. */
const destroying = (from: number): number =>
  run(planOf(from), disk, false, () => [nothingIsDestroyed, ...makeWatches()]).violation?.invariant === "I99"
    ? from
    : destroying(from + 1)

/** So many plans, from this seed on. */
const plansFrom = (seed: number, many: number) => Array.from({ length: many }, (_, at) => planOf(seed + at))

/** Takes it for something that must never be that more was wished than one schedule can. */
const fewWishes: Watch = {
  request: ({ hub, ledger }) => {
    if (hub.wished.length > 5) ledger.violated("I99", "so many wishes")
  }
}

describe("schedules in one world", () => {
  it("go on where the one before ended, with one agent that lives on", () => {
    const course = new Course(disk)
    const results = plansFrom(128, 24).map((plan) => course.run(plan))
    course.end()
    expect(results.map(({ violation }) => violation)).toEqual(results.map(() => undefined))
    const lives = results.reduce((sum, result) => sum + result.lives, 0)
    const reports = results.reduce((sum, result) => sum + result.reports, 0)
    expect(lives).toBeLessThan(results.length)
    expect(reports).toBeGreaterThan(2 * results.length)
  }, 120_000)

  it("come to the same each time, and a campaign that begins among them finds each as it is there", () => {
    const [first, second] = [1, 2].map(() => runAfter(plansFrom(192, 11), planOf(203), disk))
    expect(second).toEqual(first)
    const hashes: Array<number> = []
    storm({ schedules: 3, seed: 202, untilOne: false, shrinks: false }, (_, { hash }) => hashes.push(hash))
    expect(hashes[1]).toBe(first?.hash)
  }, 120_000)

  it("are left out of what is told where it goes wrong without them", () => {
    const watches = () => [fewWishes, ...makeWatches()]
    const seed = Array.from({ length: 24 }, (_, at) =>
      at).find((at) =>
        runAfter(plansFrom(256, at), planOf(256 + at), disk, false, watches).violation !== undefined
      ) ?? 0
    expect(seed).toBeGreaterThan(0)
    const told = { earlier: plansFrom(256, seed), plan: planOf(256 + seed) }
    const violation = { invariant: "I99", detail: "" } as const
    const least = shrunk(told, violation, disk, watches)
    expect(runAfter(least.earlier, least.plan, disk, false, watches).violation?.invariant).toBe("I99")
    expect(least.earlier.length).toBeLessThan(told.earlier.length)
    for (let at = 0; at < least.earlier.length; at++) {
      const earlier = least.earlier.filter((_, index) => index !== at)
      expect(runAfter(earlier, least.plan, disk, false, watches).violation).toBeUndefined()
    }
  }, 300_000)
})

describe("a schedule", () => {
  it("goes the same way each time, turn by turn", () => {
    for (let seed = 1; seed <= 15; seed++) {
      const [one, other] = [run(planOf(seed), disk), run(planOf(seed), disk, true)]
      expect(other).toEqual({ ...one, lines: other.lines })
    }
  }, 120_000)

  it("goes another way for another seed", () => {
    const hashes = [1, 2, 3, 4, 5, 6].map((seed) => run(planOf(seed), disk).hash)
    expect(new Set(hashes).size).toBe(hashes.length)
  }, 120_000)

  it("that went wrong is shown with nothing in it that it goes wrong without", () => {
    const watches = () => [nothingIsDestroyed, ...makeWatches()]
    const plan = planOf(destroying(1))
    const { violation } = run(plan, disk, false, watches)
    const told = { earlier: [], plan }
    const least = shrunk(told, violation ?? { invariant: "I0", detail: "" }, disk, watches).plan
    expect(run(least, disk, false, watches).violation?.invariant).toBe("I99")
    for (let at = 0; at < least.actions.length; at++) {
      const without = { ...least, actions: least.actions.filter((_, index) => index !== at) }
      expect(run(without, disk, false, watches).violation).toBeUndefined()
    }
  }, 120_000)
})

/** So many at a time, as the runner of the tests needs a turn now and then. */
const slice = 64

/** What that many schedules come to, the first of which has this seed. */
const campaignOf = async (schedules: number, seed: number) => {
  const parts: Array<ReturnType<typeof storm>> = []
  for (let done = 0; done < schedules; done += slice) {
    parts.push(
      storm({ schedules: Math.min(slice, schedules - done), seed: seed + done, untilOne: false, shrinks: true })
    )
    await new Promise((resolve) => setImmediate(resolve))
  }
  const sum = (name: "schedules" | "violations" | "lives" | "calls" | "changes" | "ended"): number =>
    parts.reduce((all, part) => all + part[name], 0)
  return { found: parts.flatMap(({ found }) => found), sum }
}

describe("two thousand schedules", () => {
  it("hold every invariant, with crashes, destructive calls, wishes that were granted and ends in them", async () => {
    const { found, sum } = await campaignOf(2000, 1)
    expect(found.map(({ lines, seed, violation }) => [seed, violation, lines.slice(-20)])).toEqual([])
    expect(sum("violations")).toBe(0)
    expect(sum("schedules")).toBe(2000)
    expect(sum("lives")).toBeGreaterThan(350)
    expect(sum("calls")).toBeGreaterThan(300)
    expect(sum("ended")).toBeGreaterThan(400)
    expect(sum("changes")).toBeGreaterThan(1500)
  }, 1_200_000)
})
