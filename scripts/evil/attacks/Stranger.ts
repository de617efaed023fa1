import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that a stranger signed",
  invariant: "no destructive call without an operator's signature",
  answer: (stage) => carrying(opOn(stage), stage.hands.stranger),
  seen: { kind: /^op\.refused$/, message: /not on the allow-list/ }
}
