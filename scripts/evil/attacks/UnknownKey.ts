import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op with a key that this version does not know",
  invariant: "what is not understood is not done",
  ops: (stage) => carrying(opOn(stage, { force: 1 }), stage.hands.anna),
  word: refused("op-schema", /force/)
}
