import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op with a key that this version does not know",
  invariant: "what is not understood is not done",
  answer: (stage) => carrying(opOn(stage, { force: 1 }), stage.hands.anna),
  seen: { kind: /^op\.refused$/, message: /felhom.op.v1|force/ }
}
