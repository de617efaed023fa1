import { Effect } from "effect"
import type { AnswerAttack } from "../Attack.ts"
import { badHub } from "../Word.ts"

export const attack: AnswerAttack = {
  name: "an answer that is no envelope",
  invariant: "what is not understood is not done",
  answer: () => Effect.succeed({ body: "{\"ops\": [" }),
  word: badHub("hub.unreachable", /its answer is no envelope/)
}
