import { Effect, Either, Encoding } from "effect"
import type { Attack } from "../Attack.ts"

export const attack: Attack = {
  name: "the same op once more, with one signature more",
  invariant: "a nonce leads to at most one call",
  answer: (stage) => {
    const payload = Either.getOrThrow(Encoding.decodeBase64(stage.spent.payload))
    return Effect.map(stage.hands.bert(payload), (more) => ({
      ops: [{ ...stage.spent, signatures: [...stage.spent.signatures, more] }]
    }))
  },
  seen: "silent"
}
