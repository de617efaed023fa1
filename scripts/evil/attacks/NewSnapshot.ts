import type { Attack } from "../Attack.ts"
import { carrying, opOn, seenOf, target } from "../Payload.ts"

export const attack: Attack = {
  name: "an op from before a snapshot was taken",
  invariant: "what was shown holds at the time of the call",
  answer: (stage) =>
    carrying(
      opOn(stage, {
        expect: { ...seenOf(stage.guest(target)), snapshots: [{ name: "long-gone", takenAt: 1_700_000_000 }] }
      }),
      stage.hands.anna
    ),
  seen: { kind: /^op\.(?:refused|failed)$/, message: /snapshot/ }
}
