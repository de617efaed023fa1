import { Either, Encoding } from "effect"
import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "another op with a nonce that was spent",
  invariant: "a nonce leads to at most one call",
  answer: (stage) => {
    const { nonce } = JSON.parse(Either.getOrThrow(Encoding.decodeBase64String(stage.spent.payload)))
    return carrying(opOn(stage, { nonce }), stage.hands.anna)
  },
  seen: { kind: /^op\.refused$/, message: /nonce/ }
}
