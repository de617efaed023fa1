import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that knew more of the host than the host does",
  invariant: "a host that was set back is noticed",
  answer: (stage) => carrying(opOn(stage, { storeSeqMin: stage.trust.storeSeq + 1_000 }), stage.hands.anna),
  seen: { kind: /^op\.refused$/, message: /once knew/ }
}
