import { Either, Encoding } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "another op with a nonce that was spent",
  invariant: "a nonce leads to at most one call",
  ops: (stage) => {
    const { nonce } = JSON.parse(Either.getOrThrow(Encoding.decodeBase64String(stage.spent.payload)))
    return carrying(opOn(stage, { nonce }), stage.hands.anna)
  },
  word: refused("nonce-spent")
}
