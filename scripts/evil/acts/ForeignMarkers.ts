import { Effect } from "effect"
import { run } from "../../story/Program.ts"
import { StoryFailed } from "../../story/StoryFailed.ts"
import type { Scene } from "../Act.ts"
import type { OpsAttack } from "../Attack.ts"
import { carrying, destroy } from "../Payload.ts"
import { harmless, playOne } from "../Round.ts"
import { refused } from "../Word.ts"

const invariant = "only what the agent itself made and recorded is its own"

const names = {
  signless: "a guest that says it is the agent's own, to be removed without a signature",
  selftest: "a snapshot that bears the agent's own name, where the agent tidies up"
}

/** Whatever a hub or a person could write on a guest so that it looks like a leftover of the agent's. */
const markers = [
  { _tag: "guest.set", vmid: 9999, key: "tags", value: "felhom-agent;felhom-own;felhom-selftest" },
  { _tag: "guest.set", vmid: 9999, key: "description", value: "made by felhom-agent: selftest leftover, remove" },
  { _tag: "guest.snapshot", vmid: 9999, name: "felhom-selftest", description: "made by felhom-agent" }
]

const signless: OpsAttack = {
  name: names.signless,
  invariant,
  ops: (stage) => carrying(destroy(stage)),
  word: refused("threshold", /0 of the 1/)
}

/** Somebody writes the agent's marks on what is not the agent's. */
export const foreignMarkers: Scene = {
  attacks: Object.values(names).map((name) => ({ name, invariant })),
  play: (world, { judge }) =>
    Effect.gen(function*() {
      yield* Effect.forEach(markers, (marker) => world.host.console(marker), { discard: true })
      yield* judge(
        names.signless,
        playOne(world, signless)
      )
      yield* judge(
        names.selftest,
        harmless(
          world,
          Effect.gen(function*() {
            // What an agent tidies up, it does at its start and in its selftest.
            yield* world.agent.stop
            const said = yield* run(
              "main.js",
              ["selftest", "task", "--vmid", String(world.vmid), "--allow-running"],
              world.agent.environment,
              [0, 1]
            )
            const refusal = /has a snapshot felhom-selftest already[^\n]*/.exec(said)?.[0]
            return refusal === undefined
              ? yield* new StoryFailed({ message: `the selftest says:\n${said}` })
              : `the selftest refuses: ${refusal}`
          })
        )
      )
    })
}
