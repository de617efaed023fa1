import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { powerCuts } from "../PowerCuts.ts"
import { wordsKeeper } from "../WordsKeeper.ts"
import { noRewriteOnOpen } from "./NoRewriteOnOpen.ts"
import { noSyncBeforeRename } from "./NoSyncBeforeRename.ts"
import { noSyncOfAppend } from "./NoSyncOfAppend.ts"
import { noSyncOfFolder } from "./NoSyncOfFolder.ts"

const faults = {
  "does not sync what it appends": noSyncOfAppend,
  "does not sync the folder": noSyncOfFolder,
  "does not sync a new file before it takes the old one's name": noSyncBeforeRename,
  "does not write a log anew when it opens it": noRewriteOnOpen
}

describe("the power cuts catch a program that", () => {
  for (const [name, plant] of Object.entries(faults)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { lost, refused } = yield* powerCuts(wordsKeeper, {
          seed: 20261122,
          states: 2_000,
          livesOnOneDisk: 4,
          plant,
          untilFault: true
        })
        expect(lost.length + refused.length).toBeGreaterThan(0)
      }))
  }
})
