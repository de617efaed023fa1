import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn, seenOf } from "../Payload.ts"
import { notWhatWasShown } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op for a configuration that was there before",
  invariant: "what was shown holds at the time of the call",
  ops: (stage) =>
    carrying(
      opOn(stage, { expect: { ...seenOf(stage.target), configHash: "0".repeat(64) } }),
      stage.hands.anna
    ),
  word: notWhatWasShown(/has been changed/)
}
