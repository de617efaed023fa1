import type { Effect } from "effect"
import { keptKeeper } from "./KeptKeeper.ts"
import { type Campaign, powerCuts, type Tally } from "./PowerCuts.ts"
import { storesKeeper } from "./StoresKeeper.ts"
import { wordsKeeper } from "./WordsKeeper.ts"

/** What is cut, and how much of all states each gets. */
export const cutStores: ReadonlyArray<{
  readonly name: string
  readonly share: number
  readonly cut: (campaign: Campaign) => Effect.Effect<Tally>
}> = [
  { name: wordsKeeper.name, share: 0.8, cut: (campaign) => powerCuts(wordsKeeper, campaign) },
  { name: keptKeeper.name, share: 0.1, cut: (campaign) => powerCuts(keptKeeper, campaign) },
  { name: storesKeeper.name, share: 0.1, cut: (campaign) => powerCuts(storesKeeper, campaign) }
]
