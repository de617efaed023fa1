import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that knew more of the host than the host does",
  invariant: "a host that was set back is noticed",
  ops: (stage) => carrying(opOn(stage, { storeSeqMin: stage.trust.storeSeq + 1_000 }), stage.hands.anna),
  word: refused("store-behind")
}
