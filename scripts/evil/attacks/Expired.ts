import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that was kept back until it was over",
  invariant: "no effect after the op's expiry",
  ops: (stage) =>
    carrying(
      opOn(stage, { iat: stage.now - 7_200_000, nbf: stage.now - 7_200_000, exp: stage.now - 1_000 }),
      stage.hands.anna
    ),
  word: refused("too-late")
}
