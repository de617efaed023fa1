import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op for a host that its owner holds",
  invariant: "a local hold cannot be lifted by the hub",
  before: (stage) => stage.hold(true),
  answer: (stage) => carrying(opOn(stage), stage.hands.anna),
  after: (stage) => stage.hold(false),
  alone: true,
  seen: { kind: /^op\.refused$/, message: /refused \(hold\)/ }
}
