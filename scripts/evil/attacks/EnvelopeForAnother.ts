import { Effect } from "effect"
import type { AnswerAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { badHub } from "../Word.ts"

export const attack: AnswerAttack = {
  name: "an envelope for another host",
  invariant: "an envelope is for one host",
  answer: (stage) =>
    Effect.map(carrying(opOn(stage), stage.hands.anna), (ops) => ({ ops, envelope: { host: "0".repeat(32) } })),
  word: badHub("hub.refused", /its answer is for host 0{32}/)
}
