import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn, seenOf } from "../Payload.ts"
import { notWhatWasShown } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an operator who was told that one guest is another",
  invariant: "what was shown holds at the time of the call",
  ops: (stage) => carrying(opOn(stage, { expect: seenOf(stage.other) }), stage.hands.anna),
  word: notWhatWasShown(/another guest/)
}
