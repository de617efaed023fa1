import type { OpsAttack } from "../Attack.ts"
import { carrying, opOn } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "an op that fills a storage with three hundred backups, signed by an operator",
  invariant: "free space never falls below the host's floors by our doing",
  ops: (stage) =>
    carrying(opOn(stage, { op: "guest.backup", params: { storage: "local", count: 300 } }), stage.hands.anna),
  word: refused("op-schema")
}
