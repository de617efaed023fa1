import { Effect } from "effect"
import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an envelope for another host",
  invariant: "an envelope is for one host",
  answer: (stage) =>
    Effect.map(carrying(opOn(stage), stage.hands.anna), ({ ops }) => ({ ops, envelope: { host: "0".repeat(32) } })),
  alone: true,
  seen: { kind: /^hub\.(?:refused|unreachable)$/, message: /./ }
}
