import { Effect } from "effect"
import type { AnswerAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: AnswerAttack = {
  name: "an op for a host that its owner holds",
  invariant: "a local hold cannot be lifted by the hub",
  before: (host) => host.hold(true),
  answer: (stage) => Effect.map(carrying(opOn(stage), stage.hands.anna), (ops) => ({ ops })),
  after: (host) => host.hold(false),
  word: refused("hold")
}
