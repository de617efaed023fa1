import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op for another host",
  invariant: "a signature is for one host",
  ops: (stage) => carrying(opOn(stage, { host: "0".repeat(32) }), stage.hands.anna),
  word: refused("other-host")
}
