import { Effect } from "effect"
import type { AnswerAttack } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: AnswerAttack = {
  name: "sixty ops of strangers at once",
  invariant: "a flood of refusals is bounded",
  answer: (stage) =>
    Effect.map(
      Effect.forEach(Array.from({ length: 60 }), () => signedBy(opOn(stage), stage.hands.stranger)),
      (ops) => ({ ops })
    ),
  word: refused("unlisted")
}
