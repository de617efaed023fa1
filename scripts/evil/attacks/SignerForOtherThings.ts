import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "a signer who may sign for other things only",
  invariant: "no destructive call without an operator's signature",
  ops: (stage) => carrying(opOn(stage), stage.hands.elsewhere),
  word: refused("signer-namespace")
}
