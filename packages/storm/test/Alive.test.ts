import { describe, expect, it } from "@effect/vitest"
import { watch } from "@felhom/storm/invariants/I14Alive"
import { firstDisk, quietStage } from "@felhom/storm/Schedule"
import type { Stage, Watch } from "@felhom/storm/Stage"

const minute = 60_000

const stageOf = (watches: ReadonlyArray<Watch> = [watch()]): Stage => quietStage({ disk: firstDisk(), watches })

describe("an agent that is up", () => {
  it("waits for its next look or for an answer, whatever time it is", () => {
    const stage = stageOf()
    stage.until(30 * minute)
    stage.judge()
    expect(stage.ledger.violation).toBeUndefined()
    expect(stage.hub.answers).toBeGreaterThan(20)
    stage.end()
  })

  it("stands still once it waits for no time, no answer and nobody", () => {
    const stage = stageOf()
    stage.until(5 * minute)
    // As if what rings for it had been lost.
    if (stage.life !== undefined) stage.timeline.end(stage.life)
    stage.until(stage.timeline.elapsed + minute)
    expect(stage.ledger.violation?.detail).toContain("it stands still")
    stage.end()
  })

  it("ends when it is asked to, and is told of where it does not", () => {
    const lingered = watch().lingered ?? (() => undefined)
    const stage = stageOf([{ lingered }])
    stage.until(5 * minute)
    stage.terminate(1000)
    stage.until(stage.timeline.elapsed + minute)
    expect(stage.lives).toBe(2)
    expect(stage.ledger.violation).toBeUndefined()
    stage.terminate(1000)
    // As if something of it could not be given up.
    if (stage.life !== undefined) stage.timeline.end(stage.life)
    stage.until(stage.timeline.elapsed + minute)
    expect(stage.ledger.violation?.detail).toBe("it was asked to end, and had to be killed")
    stage.end()
  })

  it("may start a guest five times in as many minutes, each life of it, and no sixth time", () => {
    const stage = stageOf()
    const { request } = watch()
    const start = (vmid: number): void =>
      request?.(stage, {
        method: "POST",
        path: `/nodes/home/lxc/${vmid}/status/start`,
        parameters: new Map(),
        headers: {},
        sentAt: 0
      })
    const startsOf = (vmid: number, times: number): string | undefined => {
      for (let done = 0; done < times; done++) {
        stage.timeline.elapsed += 40_000
        start(vmid)
      }
      return stage.ledger.violation?.detail
    }
    expect(startsOf(101, 5)).toBeUndefined()
    stage.lives += 1
    expect(startsOf(101, 5)).toBeUndefined()
    stage.timeline.elapsed += 5 * minute
    expect(startsOf(101, 5)).toBeUndefined()
    expect(startsOf(101, 1)).toBe("6 starts within five minutes: /nodes/home/lxc/101/status/start")
    stage.end()
  })

  it("stands still, too, where something rings and it looks at nothing for longer than any hub can ask for", () => {
    const stage = stageOf()
    stage.until(5 * minute)
    stage.way.closed = 1_000_000
    stage.until(stage.timeline.elapsed + 80 * minute)
    stage.judge()
    expect(stage.ledger.violation?.detail).toMatch(/^it has looked at nothing for (?:79|80) min$/)
    stage.end()
  })
})
