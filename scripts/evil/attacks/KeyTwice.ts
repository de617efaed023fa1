import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that says two things in one place",
  invariant: "what is not understood is not done",
  ops: (stage) =>
    carrying(
      JSON.stringify(opOn(stage)).replace("\"reason\":", "\"op\":\"hold.release\",\"reason\":"),
      stage.hands.anna
    ),
  word: refused("op-json", /stands there twice/)
}
