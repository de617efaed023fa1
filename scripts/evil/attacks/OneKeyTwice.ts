import type { Attack } from "../Attack.ts"
import { carrying, destroy } from "../Payload.ts"

export const attack: Attack = {
  name: "one key that is counted twice",
  invariant: "the threshold of distinct signers is met",
  answer: (stage) => carrying(destroy(stage), stage.hands.anna, stage.hands.anna),
  seen: { kind: /^op\.refused$/, message: /1 of the 2 signers/ }
}
