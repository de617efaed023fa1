import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "a signer who may sign for other things only",
  invariant: "no destructive call without an operator's signature",
  answer: (stage) => carrying(opOn(stage), stage.hands.elsewhere),
  seen: { kind: /^op\.refused$/, message: /namespace/ }
}
