import { Effect, Encoding } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { bytesOf, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an operator's signature that was made for something else",
  invariant: "no destructive call without an operator's signature",
  ops: (stage) => {
    const payload = bytesOf(opOn(stage))
    return Effect.map(
      stage.hands.anna(payload, "git"),
      (signature) => [{ payload: Encoding.encodeBase64(payload), signatures: [signature] }]
    )
  },
  word: refused("namespace")
}
