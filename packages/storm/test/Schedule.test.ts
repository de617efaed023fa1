import { describe, expect, it } from "@effect/vitest"
import { destructionOf } from "@felhom/storm/Destruction"
import { planOf } from "@felhom/storm/Plan"
import { firstDisk, run } from "@felhom/storm/Schedule"
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
  run(planOf(from), disk, false, () => [nothingIsDestroyed]).violation === undefined ? destroying(from + 1) : from

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
    const watches = () => [nothingIsDestroyed]
    const plan = planOf(destroying(1))
    const { violation } = run(plan, disk, false, watches)
    const least = shrunk(plan, violation ?? { invariant: "I0", detail: "" }, disk, watches)
    expect(run(least, disk, false, watches).violation?.invariant).toBe("I99")
    for (let at = 0; at < least.actions.length; at++) {
      const without = { ...least, actions: least.actions.filter((_, index) => index !== at) }
      expect(run(without, disk, false, watches).violation).toBeUndefined()
    }
  }, 120_000)
})

/** So many at a time, as the runner of the tests needs a turn now and then. */
const slice = 100

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
    expect(sum("lives")).toBeGreaterThan(2200)
    expect(sum("calls")).toBeGreaterThan(200)
    expect(sum("ended")).toBeGreaterThan(200)
    expect(sum("changes")).toBeGreaterThan(200)
  }, 1_200_000)
})
