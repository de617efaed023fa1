import { Effect } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "a signature with a text after its end",
  invariant: "what is not understood is not done",
  ops: (stage) =>
    Effect.map(
      signedBy(opOn(stage), stage.hands.anna),
      ({ payload, signatures }) => [{ payload, signatures: signatures.map((armor) => `${armor}and more\n`) }]
    ),
  word: refused("armor", /stand alone/)
}
