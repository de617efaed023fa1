import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that nobody signed",
  invariant: "no destructive call without an operator's signature",
  answer: (stage) => carrying(opOn(stage)),
  seen: { kind: /^op\.refused$/, message: /signers that this needs/ }
}
