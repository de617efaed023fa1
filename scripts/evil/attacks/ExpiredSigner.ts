import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "a signer whose time is over",
  invariant: "a revoked or expired signer never counts",
  answer: (stage) => carrying(opOn(stage), stage.hands.expired),
  seen: { kind: /^op\.refused$/, message: /until 2020/ }
}
