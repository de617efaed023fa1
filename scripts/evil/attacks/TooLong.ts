import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that is good for a week",
  invariant: "no effect outside of the op's time",
  ops: (stage) => carrying(opOn(stage, { exp: stage.now + 7 * 86_400_000 }), stage.hands.anna),
  word: refused("op-schema", /24 hours/)
}
