import type { OpsAttack } from "../Attack.ts"
import { carrying, destroy } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that needs two people, with one of them",
  invariant: "the threshold of distinct signers is met",
  ops: (stage) => carrying(destroy(stage), stage.hands.bert),
  word: refused("threshold", /1 of the 2/)
}
