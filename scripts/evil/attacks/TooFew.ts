import type { Attack } from "../Attack.ts"
import { carrying, destroy } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that needs two people, with one of them",
  invariant: "the threshold of distinct signers is met",
  answer: (stage) => carrying(destroy(stage), stage.hands.bert),
  seen: { kind: /^op\.refused$/, message: /1 of the 2 signers/ }
}
