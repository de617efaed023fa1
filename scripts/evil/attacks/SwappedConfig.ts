import type { Attack } from "../Attack.ts"
import { carrying, opOn, seenOf, target } from "../Payload.ts"

export const attack: Attack = {
  name: "an op for a configuration that was there before",
  invariant: "what was shown holds at the time of the call",
  answer: (stage) =>
    carrying(
      opOn(stage, { expect: { ...seenOf(stage.guest(target)), configHash: "0".repeat(64) } }),
      stage.hands.anna
    ),
  seen: { kind: /^op\.(?:refused|failed)$/, message: /has been changed/ }
}
