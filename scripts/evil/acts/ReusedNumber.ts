import { Effect } from "effect"
import type { Scene } from "../Act.ts"
import { answered } from "../Arena.ts"
import { opOn, signedBy } from "../Payload.ts"
import { playOne } from "../Round.ts"
import { notWhatWasShown } from "../Word.ts"
import { runningAgain } from "../World.ts"

const attack = {
  name: "an op for a guest whose number another one has got since",
  invariant: "what was shown holds at the time of the call"
}

/** The guest is destroyed by its owner, who makes another one, of the same number and name; the hub has kept an op for the former. */
export const reusedNumber: Scene = {
  attacks: [attack],
  play: (world, { judge }) =>
    Effect.gen(function*() {
      const { kept } = yield* answered(world, (facts) =>
        Effect.map(signedBy(opOn(facts), world.hands.anna), (kept) => ({ kept, answer: { ops: [] } })))
      const { host, vmid } = world
      yield* host.console({ _tag: "guest.status", vmid, status: "stopped" })
      yield* host.console({ _tag: "guest.destroy", vmid })
      yield* host.console({
        _tag: "guest.create",
        vmid,
        config: { hostname: "tiny", rootfs: "ctstore:1", net0: "name=eth0,bridge=vmbr0" }
      })
      yield* runningAgain(world)
      yield* judge(
        attack.name,
        playOne(world, {
          ...attack,
          ops: () =>
            Effect.succeed([kept]),
          word: notWhatWasShown(/another guest/)
        })
      )
    })
}
