import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op for tomorrow",
  invariant: "no effect outside of the op's time",
  ops: (stage) =>
    carrying(
      opOn(stage, { iat: stage.now, nbf: stage.now + 3_600_000, exp: stage.now + 7_200_000 }),
      stage.hands.anna
    ),
  word: refused("too-early")
}
