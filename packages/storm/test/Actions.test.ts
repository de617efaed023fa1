import { describe, expect, it } from "@effect/vitest"
import { acts } from "@felhom/storm/Actions"
import { Chance } from "@felhom/storm/Chance"
import { quietStage } from "@felhom/storm/Schedule"
import type { Stage } from "@felhom/storm/Stage"

/** A stage on which people have done things by hand until one of them tried to make guest 103. */
const withGuestTried = (before: (stage: Stage) => void): Stage => {
  const stage = quietStage({ keepsLines: true })
  before(stage)
  stage.ledger.made.add(103)
  for (let seed = 0; !stage.ledger.lines.some((line) => line.includes("guest.create")); seed++) {
    acts["person"]?.act(stage, new Chance(seed))
  }
  return stage
}

describe("a guest that somebody makes by hand", () => {
  it("takes the number over from the agent", () => {
    const stage = withGuestTried(() => undefined)
    expect(stage.machine.guests.has(103)).toBe(true)
    expect(stage.ledger.made.has(103)).toBe(false)
    stage.end()
  })

  it("leaves the agent's own what it is, where Proxmox refuses a second one under its number", () => {
    const stage = withGuestTried(({ machine }) => {
      const [own] = machine.guests.values()
      if (own !== undefined) machine.guests.set(103, own)
    })
    expect(stage.ledger.made.has(103)).toBe(true)
    expect(stage.ledger.replacedAt.has(103)).toBe(false)
    stage.end()
  })
})
