import type { Attack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"

export const attack: Attack = {
  name: "an op for tomorrow",
  invariant: "no effect outside of the op's time",
  answer: (stage) =>
    carrying(
      opOn(stage, { iat: stage.now, nbf: stage.now + 3_600_000, exp: stage.now + 7_200_000 }),
      stage.hands.anna
    ),
  seen: { kind: /^op\.refused$/, message: /good from/ }
}
