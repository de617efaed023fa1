import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn, seenOf } from "../Payload.ts"
import { notWhatWasShown } from "../Word.ts"

export const attack: OpsAttack = {
  name: "a number that another guest has by now",
  invariant: "what was shown holds at the time of the call",
  ops: (stage) =>
    carrying(
      opOn(stage, {
        expect: {
          ...seenOf(stage.target),
          identity: { hwaddrs: ["BC:24:11:00:00:99"], volumes: [], smbiosUuid: null, key: null },
          volumes: []
        }
      }),
      stage.hands.anna
    ),
  word: notWhatWasShown(/another guest/)
}
