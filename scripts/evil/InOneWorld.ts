import { Effect } from "effect"
import type { Act, Scene } from "./Act.ts"
import { makeWorld, opened } from "./World.ts"

/** These scenes, one after the other, on one host; what is not asked for is left out. */
export const inOneWorld = (name: string, scenes: ReadonlyArray<Scene>): Act => ({
  attacks: scenes.flatMap(({ attacks }) => attacks),
  plain: [],
  play: (surroundings) =>
    Effect.gen(function*() {
      const { folder, keys, wanted } = surroundings
      const world = yield* Effect.flatMap(makeWorld({ folder, name, keys }), opened)
      yield* Effect.forEach(
        scenes.filter(({ attacks }) => attacks.some(wanted)),
        ({ play }) => play(world, surroundings),
        { discard: true }
      )
      yield* world.agent.stop
    })
})
