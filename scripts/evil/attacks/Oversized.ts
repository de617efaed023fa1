import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that is too large to be looked at",
  invariant: "what is too large is not even decoded",
  answer: (stage) => carrying(opOn(stage, { reason: "x".repeat(20_000) }), stage.hands.anna),
  seen: { kind: /^op\.refused$/, message: /longer than/ }
}
