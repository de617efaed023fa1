import { Effect } from "effect"
import type { Attack } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"

export const attack: Attack = {
  name: "a signature with a text after its end",
  invariant: "what is not understood is not done",
  answer: (stage) =>
    Effect.map(signedBy(opOn(stage), stage.hands.anna), ({ payload, signatures }) => ({
      ops: [{ payload, signatures: signatures.map((armor) => `${armor}and more\n`) }]
    })),
  seen: { kind: /^op\.refused$/, message: /stand alone|armor/ }
}
