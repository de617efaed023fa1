import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op with more signatures than anybody can need",
  invariant: "what is too large is not even decoded",
  ops: (stage) => carrying(opOn(stage), ...Array.from({ length: 17 }, () => stage.hands.anna)),
  word: refused("size", /17 signatures/)
}
