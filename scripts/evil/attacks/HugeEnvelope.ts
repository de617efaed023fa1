import { Effect } from "effect"
import type { AnswerAttack } from "../Attack.ts"
import { badHub } from "../Word.ts"

export const attack: AnswerAttack = {
  name: "an answer of four mebibytes",
  invariant: "what is too large is not even decoded",
  answer: () => Effect.succeed({ body: JSON.stringify({ ops: ["x".repeat(4 * 1024 * 1024)] }) }),
  word: badHub("hub.unreachable", /its answer is longer than/)
}
