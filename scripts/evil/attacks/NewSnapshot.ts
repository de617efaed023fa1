import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn, seenOf } from "../Payload.ts"
import { notWhatWasShown } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op from before a snapshot was taken",
  invariant: "what was shown holds at the time of the call",
  ops: (stage) =>
    carrying(
      opOn(stage, {
        expect: { ...seenOf(stage.target), snapshots: [{ name: "long-gone", takenAt: 1_700_000_000 }] }
      }),
      stage.hands.anna
    ),
  word: notWhatWasShown(/snapshot/)
}
