import { Effect } from "effect"
import type { Act } from "./Act.ts"
import type { Attack } from "./Attack.ts"
import { playAll } from "./Round.ts"
import { makeWorld, opened } from "./World.ts"

/** These attacks, one after the other, on one host. */
export const plain = (attacks: ReadonlyArray<Attack>): Act => ({
  attacks,
  plain: attacks,
  play: ({ folder, judge, keys, wanted }) =>
    Effect.gen(function*() {
      const world = yield* Effect.flatMap(makeWorld({ folder, name: "victim", keys }), opened)
      yield* playAll(world, attacks.filter(wanted), ({ name }, verdict) => judge(name, verdict))
      yield* world.agent.stop
    })
})
