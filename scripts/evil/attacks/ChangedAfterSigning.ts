import { Effect, Either, Encoding } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"
import { refused } from "../Word.ts"

const changed = (payload: string): string =>
  Either.getOrThrow(Encoding.decodeBase64String(payload)).replace("harmless", "harmful!")

export const attack: OpsAttack = {
  name: "bytes that were changed after they were signed",
  invariant: "no destructive call without an operator's signature",
  ops: (stage) =>
    Effect.map(
      signedBy(opOn(stage, { reason: "harmless" }), stage.hands.anna),
      ({ payload, signatures }) => [{ payload: Encoding.encodeBase64(changed(payload)), signatures }]
    ),
  word: refused("signature")
}
