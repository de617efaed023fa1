import { Effect, Encoding } from "effect"
import type { Attack } from "../Attack.ts"
import { bytesOf, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an operator's signature that was made for something else",
  invariant: "no destructive call without an operator's signature",
  answer: (stage) => {
    const payload = bytesOf(opOn(stage))
    return Effect.map(stage.hands.anna(payload, "git"), (signature) => ({
      ops: [{ payload: Encoding.encodeBase64(payload), signatures: [signature] }]
    }))
  },
  seen: { kind: /^op\.refused$/, message: /namespace|purpose/ }
}
