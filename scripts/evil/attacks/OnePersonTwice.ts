import type { Attack } from "../Attack.ts"
import { carrying, destroy } from "../Payload.ts"

export const attack: Attack = {
  name: "one person with two keys, counted twice",
  invariant: "the threshold of distinct signers is met",
  answer: (stage) => carrying(destroy(stage), stage.hands.anna, stage.hands.annaAgain),
  seen: { kind: /^op\.refused$/, message: /1 of the 2 signers/ }
}
