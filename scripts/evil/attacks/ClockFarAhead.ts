import { Effect } from "effect"
import type { AnswerAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: AnswerAttack = {
  name: "a hub whose clock is an hour ahead",
  invariant: "a clock that nobody can trust lets nothing through",
  answer: (stage) =>
    Effect.map(carrying(opOn(stage), stage.hands.anna), (ops) => ({
      ops,
      envelope: { serverTime: stage.now + 3_600_000 }
    })),
  word: refused("clock-off", /behind the hub/)
}
