import { describe, expect, it } from "@effect/vitest"
import { sharesOf } from "../storm/Jobs.ts"

describe("a campaign in several processes", () => {
  it("runs each seed once, and begins no process in the midst of a world but the first", () => {
    for (
      const [seed, schedules, jobs] of [[1, 100_000, 2], [70, 500, 3], [1, 40, 4], [64, 64, 2], [1, 65, 2]] as const
    ) {
      const shares = sharesOf({ seed, schedules }, jobs)
      const seeds = shares.flatMap((share) => Array.from({ length: share.schedules }, (_, at) => share.seed + at))
      expect(seeds).toEqual(Array.from({ length: schedules }, (_, at) => seed + at))
      expect(shares.length).toBeLessThanOrEqual(jobs)
      expect(shares.slice(1).map((share) => share.seed % 64)).toEqual(shares.slice(1).map(() => 0))
    }
  })
})
