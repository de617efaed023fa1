import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op that was kept back until it was over",
  invariant: "no effect after the op's expiry",
  answer: (stage) =>
    carrying(
      opOn(stage, { iat: stage.now - 7_200_000, nbf: stage.now - 7_200_000, exp: stage.now - 1_000 }),
      stage.hands.anna
    ),
  seen: { kind: /^op\.refused$/, message: /good until/ }
}
