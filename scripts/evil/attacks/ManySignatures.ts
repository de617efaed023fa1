import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op with more signatures than anybody can need",
  invariant: "what is too large is not even decoded",
  answer: (stage) => carrying(opOn(stage), ...Array.from({ length: 17 }, () => stage.hands.anna)),
  seen: { kind: /^op\.refused$/, message: /17 signatures/ }
}
