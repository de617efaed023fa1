import type { OpsAttack } from "../Attack.ts"
import { carrying, destroy } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "one key that is counted twice",
  invariant: "the threshold of distinct signers is met",
  ops: (stage) => carrying(destroy(stage), stage.hands.anna, stage.hands.anna),
  word: refused("threshold", /1 of the 2/)
}
