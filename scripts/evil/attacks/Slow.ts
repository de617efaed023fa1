import { Effect } from "effect"
import type { AnswerAttack } from "../Attack.ts"
import { badHub } from "../Word.ts"

export const attack: AnswerAttack = {
  name: "an answer that never ends",
  invariant: "with the hub down the agent neither exits nor waits for ever",
  answer: () => Effect.succeed({ hangsAfter: "{\"typ\":" }),
  word: badHub("hub.unreachable", /it gave no answer within/)
}
