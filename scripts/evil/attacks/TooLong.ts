import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that is good for a week",
  invariant: "no effect outside of the op's time",
  answer: (stage) => carrying(opOn(stage, { exp: stage.now + 7 * 86_400_000 }), stage.hands.anna),
  seen: { kind: /^op\.refused$/, message: /24 hours/ }
}
