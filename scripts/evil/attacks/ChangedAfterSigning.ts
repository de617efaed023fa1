import { Effect, Either, Encoding } from "effect"
import type { Attack } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"

const changed = (payload: string): string =>
  Either.getOrThrow(Encoding.decodeBase64String(payload)).replace("harmless", "harmful!")

export const attack: Attack = {
  name: "bytes that were changed after they were signed",
  invariant: "no destructive call without an operator's signature",
  answer: (stage) =>
    Effect.map(signedBy(opOn(stage, { reason: "harmless" }), stage.hands.anna), ({ payload, signatures }) => ({
      ops: [{ payload: Encoding.encodeBase64(changed(payload)), signatures }]
    })),
  seen: { kind: /^op\.refused$/, message: /not those that were signed|does not hold|signature/ }
}
