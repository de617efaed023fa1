import { Effect, Either, Encoding } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { known } from "../Word.ts"

export const attack: OpsAttack = {
  name: "the same op once more, with one signature more",
  invariant: "a nonce leads to at most one call",
  ops: (stage) => {
    const payload = Either.getOrThrow(Encoding.decodeBase64(stage.spent.payload))
    return Effect.map(
      stage.hands.bert(payload),
      (more) => [{ ...stage.spent, signatures: [...stage.spent.signatures, more] }]
    )
  },
  word: known
}
