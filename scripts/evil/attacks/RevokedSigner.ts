import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "a signer who was revoked",
  invariant: "a revoked or expired signer never counts",
  answer: (stage) => carrying(opOn(stage), stage.hands.revoked),
  seen: { kind: /^op\.refused$/, message: /revoked|revocation/ }
}
