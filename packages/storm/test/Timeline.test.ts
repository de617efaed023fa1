import { describe, expect, it } from "@effect/vitest"
import { Chance } from "@felhom/storm/Chance"
import { Life, Timeline } from "@felhom/storm/Timeline"
import { Effect } from "effect"

const usual = { outOfTurn: 0, stepsInARow: 2048 }

const fork = (timeline: Timeline, life: Life, effect: Effect.Effect<unknown>) =>
  Effect.runFork(Effect.withClock(effect, timeline.clock(life)), { scheduler: timeline.scheduler(life) })

const through = (timeline: Timeline, until: number): void => {
  while (timeline.turn() || timeline.leap(until));
}

const saying = (heard: Array<string>, name: string, pause: string) =>
  Effect.forEach(
    [1, 2, 3],
    (count) => Effect.zipRight(Effect.sleep(pause as "1 second"), Effect.sync(() => heard.push(`${name}${count}`))),
    {
      discard: true
    }
  )

describe("a timeline", () => {
  it("lets hours pass at once, and rings in the order of the times", () => {
    const timeline = new Timeline(1000, new Chance(1), usual)
    const life = new Life()
    const heard: Array<string> = []
    fork(timeline, life, saying(heard, "a", "2 hours"))
    fork(timeline, life, saying(heard, "b", "5 hours"))
    through(timeline, 20 * 3_600_000)
    expect(heard).toEqual(["a1", "a2", "b1", "a3", "b2", "b3"])
    expect(timeline.trueTime).toBe(1000 + 20 * 3_600_000)
  })

  it("ends a life with all its fibers and timers, and lets others go on", () => {
    const timeline = new Timeline(0, new Chance(1), usual)
    const [mine, other] = [new Life(), new Life()]
    const heard: Array<string> = []
    fork(timeline, mine, saying(heard, "a", "1 second"))
    fork(timeline, other, saying(heard, "b", "1 second"))
    through(timeline, 1500)
    timeline.end(mine)
    through(timeline, 10_000)
    expect(heard).toEqual(["a1", "b1", "b2", "b3"])
  })

  it("shows what somebody set the clock to, and rings as if nobody had", () => {
    const timeline = new Timeline(0, new Chance(1), usual)
    const life = new Life()
    const heard: Array<number> = []
    fork(
      timeline,
      life,
      Effect.zipRight(
        Effect.sleep("1 minute"),
        Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => heard.push(now)))
      )
    )
    through(timeline, 1000)
    timeline.offset = 365 * 86_400_000
    through(timeline, 120_000)
    expect(heard).toEqual([60_000 + 365 * 86_400_000])
  })

  it("mixes fibers by its seed alone", () => {
    const orderOf = (seed: number): string => {
      const timeline = new Timeline(0, new Chance(seed), { outOfTurn: 0.5, stepsInARow: 2048 })
      const life = new Life()
      const heard: Array<string> = []
      for (const name of ["a", "b", "c", "d"]) fork(timeline, life, saying(heard, name, "1 second"))
      through(timeline, 10_000)
      return heard.join(" ")
    }
    expect(orderOf(7)).toBe(orderOf(7))
    expect(new Set([1, 2, 3, 4, 5].map(orderOf)).size).toBeGreaterThan(1)
  })
})
