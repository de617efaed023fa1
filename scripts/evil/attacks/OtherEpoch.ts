import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op for an earlier record of spent nonces",
  invariant: "a nonce leads to at most one call",
  ops: (stage) => carrying(opOn(stage, { hostEpoch: "0".repeat(32) }), stage.hands.anna),
  word: refused("other-epoch")
}
