import type { Watch } from "../Stage.ts"
import { isDone } from "../Truth.ts"

/** I15: no op is told to be finished whose effect was never there; held against each report. */
export const watch: Watch = {
  report: ({ ledger, machine }) => {
    for (const [payload, ends] of ledger.ends) {
      const known = ledger.ops.get(payload)
      if (known === undefined || !ends.has("finished") || known.effectSeen) continue
      const { op } = known
      if (!("guest" in op.target) && !("volid" in op.target) && !("storage" in op.target)) continue
      if (known.calls.length === 0) ledger.violated("I15", `${op.op} is told to be finished, and nothing was asked for`)
      else if (!isDone(machine, op)) ledger.violated("I15", `${op.op} is told to be finished, and it is not so`)
      else known.effectSeen = true
    }
  }
}
