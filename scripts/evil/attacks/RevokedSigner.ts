import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "a signer who was revoked",
  invariant: "a revoked or expired signer never counts",
  ops: (stage) => carrying(opOn(stage), stage.hands.revoked),
  word: refused("revoked")
}
