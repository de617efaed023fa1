import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that nobody signed",
  invariant: "no destructive call without an operator's signature",
  ops: (stage) => carrying(opOn(stage)),
  word: refused("threshold", /0 of the 1/)
}
