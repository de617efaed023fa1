import { Effect } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"
import { refused } from "../Word.ts"

const days = ["01", "02", "03"]

export const attack: OpsAttack = {
  name: "every backup of a guest, deleted without an operator",
  invariant: "no destructive call without an operator's signature",
  ops: (stage) =>
    Effect.forEach(days, (day) =>
      signedBy(opOn(stage, {
        op: "backup.delete",
        target: { volid: `local:backup/vzdump-lxc-101-2026_06_${day}-02_00_00.tar.zst` },
        expect: { size: 1_000_000, createdAt: null }
      }))),
  word: refused("threshold", /0 of the 1/)
}
