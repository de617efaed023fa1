import { Effect } from "effect"
import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "a hub whose clock is an hour ahead",
  invariant: "a clock that nobody can trust lets nothing through",
  answer: (stage) =>
    Effect.map(carrying(opOn(stage), stage.hands.anna), ({ ops }) => ({
      ops,
      envelope: { serverTime: stage.now + 3_600_000 }
    })),
  seen: { kind: /^op\.refused$/, message: /behind the hub/ }
}
