import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { cutStores } from "./CutStores.ts"

/** Different disks, each started from. npm run fuzz takes ten times as many, and others each time. */
const states = 10_000

describe("wherever the power is cut, and cut again on what that left", () => {
  for (const { cut, name, share } of cutStores) {
    const wanted = states * share
    it.effect(
      `${name} lose nothing that was answered for, and start from each of ${wanted} disks`,
      () =>
        Effect.gen(function*() {
          const tally = yield* cut({ seed: 20261122, states: wanted, livesOnOneDisk: 4 })
          expect(tally).toMatchObject({ lost: [], refused: [] })
          // A search that no longer finds states, or is promised nothing, would find no loss either.
          expect(tally.states).toBeGreaterThanOrEqual(wanted)
          expect(tally.promises).toBeGreaterThan(50)
        }),
      300_000
    )
  }
})
