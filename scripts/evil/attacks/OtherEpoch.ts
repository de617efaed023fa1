import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op for an earlier record of spent nonces",
  invariant: "a nonce leads to at most one call",
  answer: (stage) => carrying(opOn(stage, { hostEpoch: "0".repeat(32) }), stage.hands.anna),
  seen: { kind: /^op\.refused$/, message: /epoch/ }
}
