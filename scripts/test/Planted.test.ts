import { describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel } from "effect"
import { expect } from "vitest"
import { faults } from "../planted/all.ts"
import type { Wrongs } from "../planted/Planted.ts"
import { type ChangedLine, withChanges } from "../planted/SourceVariant.ts"

/** What the check finds in a program of which these lines are others. */
const found = async (check: string, changes: ReadonlyArray<ChangedLine>): Promise<ReadonlyArray<string>> => {
  let wrongs: ReadonlyArray<string> = []
  await withChanges<{ readonly wrongs: Wrongs }>(`scripts/planted/checks/${check}.ts`, changes, async (module) => {
    wrongs = await Effect.runPromise(Effect.provide(module.wrongs, Logger.minimumLogLevel(LogLevel.None)))
  })
  return wrongs
}

describe("nothing is found wrong with the program", () => {
  for (const check of new Set(faults.map((fault) => fault.check))) {
    it(`by the check ${check}`, async () => {
      expect(await found(check, [])).toEqual([])
    })
  }
})

describe("a check finds out a program that", () => {
  for (const { changes, check, name } of faults) {
    it(name, async () => {
      expect((await found(check, changes)).length).toBeGreaterThan(0)
    })
  }
})

describe("a planted fault", () => {
  it("whose line is not there any more is no fault, and is told", async () => {
    const file = "packages/mandate/src/Mandate.ts"
    await expect(found("OneMandate", [{ file, line: "minted.spent = 1", instead: "" }])).rejects.toThrow("has 0 lines")
    await expect(found("OneMandate", [{ file: "packages/hub/src/main.ts", line: "x", instead: "" }])).rejects.toThrow(
      "does not run"
    )
  })
})
