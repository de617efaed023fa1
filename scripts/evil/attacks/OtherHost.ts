import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op for another host",
  invariant: "a signature is for one host",
  answer: (stage) => carrying(opOn(stage, { host: "0".repeat(32) }), stage.hands.anna),
  seen: { kind: /^op\.refused$/, message: /for the host/ }
}
