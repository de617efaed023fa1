import { describe, expect, it } from "vitest"
import { rootSideTargets } from "../fuzz/RootSideTargets.ts"
import { fuzz } from "../fuzz/Target.ts"

const runs = 20_000

describe("hostile strings", () => {
  for (const target of rootSideTargets) {
    it(`at the ${target.name.replace(": ", ", ")}, are refused, or read back to themselves`, () => {
      const { accepted, refused } = fuzz(target, Math.ceil(runs / rootSideTargets.length), 7)
      expect(accepted).toBeGreaterThan(20)
      expect(refused).toBeGreaterThan(20)
    })
  }
})
