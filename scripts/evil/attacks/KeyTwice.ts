import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that says two things in one place",
  invariant: "what is not understood is not done",
  answer: (stage) =>
    carrying(
      JSON.stringify(opOn(stage)).replace("\"reason\":", "\"op\":\"hold.release\",\"reason\":"),
      stage.hands.anna
    ),
  seen: { kind: /^op\.refused$/, message: /stands there twice/ }
}
