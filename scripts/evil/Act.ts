import type { FileSystem, HttpClient } from "@effect/platform"
import type { Effect, Scope } from "effect"
import type { Cast } from "../story/Program.ts"
import type { StoryFailed } from "../story/StoryFailed.ts"
import type { Attack, Named } from "./Attack.ts"
import type { Keys } from "./Keys.ts"
import type { Attacked } from "./Round.ts"
import type { World } from "./World.ts"

export type Props = Scope.Scope | Cast | FileSystem.FileSystem | HttpClient.HttpClient

/** What an act is given. */
export interface Surroundings {
  /** A folder of its own. */
  readonly folder: string
  readonly keys: Keys
  /** Which attacks are asked for. What the others need may be left out. */
  readonly wanted: (attack: Named) => boolean
  /** Takes the verdict on one of the act's attacks: the words with which it was refused, or why it counts as gone through. */
  readonly judge: (
    name: string,
    verdict: Effect.Effect<string, StoryFailed, Props>
  ) => Effect.Effect<void, never, Props>
}

/** Attacks in a world that others may have been played in before, and may be played in afterwards. */
export interface Scene {
  readonly attacks: ReadonlyArray<Named>
  readonly play: (world: World & Attacked, surroundings: Surroundings) => Effect.Effect<void, StoryFailed, Props>
}

/** Attacks that are played one after the other in a world of their own, beside other acts. */
export interface Act {
  readonly attacks: ReadonlyArray<Named>
  /** Those of them that are an answer of the hub's, and nothing else that happens. */
  readonly plain: ReadonlyArray<Attack>
  /** What fails here counts against every attack that was not judged by then. */
  readonly play: (surroundings: Surroundings) => Effect.Effect<void, StoryFailed, Props>
}
