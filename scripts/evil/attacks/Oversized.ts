import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that is too large to be looked at",
  invariant: "what is too large is not even decoded",
  ops: (stage) => carrying(opOn(stage, { reason: "x".repeat(20_000) }), stage.hands.anna),
  word: refused("size", /longer than/)
}
