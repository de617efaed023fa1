import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that leaves one backup of each guest, signed by an operator",
  invariant: "no backup is deleted but by its own name",
  ops: (stage) =>
    carrying(
      opOn(stage, { op: "backup.prune", target: { storage: "local" }, expect: {}, params: { keepLast: 1 } }),
      stage.hands.anna
    ),
  word: refused("op-schema")
}
