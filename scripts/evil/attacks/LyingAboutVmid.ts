import type { Attack } from "../Attack.ts"
import { carrying, opOn, seenOf } from "../Payload.ts"

export const attack: Attack = {
  name: "an operator who was told that one guest is another",
  invariant: "what was shown holds at the time of the call",
  answer: (stage) => carrying(opOn(stage, { expect: seenOf(stage.guest(101)) }), stage.hands.anna),
  seen: { kind: /^op\.(?:refused|failed)$/, message: /another guest/ }
}
