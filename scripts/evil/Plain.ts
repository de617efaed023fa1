import { Effect } from "effect"
import type { Act, Scene } from "./Act.ts"
import type { Attack } from "./Attack.ts"
import { inOneWorld } from "./InOneWorld.ts"
import { playAll } from "./Round.ts"

/** These attacks, one after the other, on one host; and then these scenes. */
export const plain = (attacks: ReadonlyArray<Attack>, scenes: ReadonlyArray<Scene> = []): Act => {
  const first: Scene = {
    attacks,
    play: (world, { judge, wanted }) =>
      Effect.asVoid(playAll(world, attacks.filter(wanted), ({ name }, verdict) => judge(name, verdict)))
  }
  return { ...inOneWorld("victim", [first, ...scenes]), plain: attacks }
}
