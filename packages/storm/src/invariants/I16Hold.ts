import type { Stage } from "../Stage.ts"
import type { Watch } from "../Stage.ts"
import type { CallCheck } from "./Calls.ts"

/** I16: a hold is lifted by root or by an operator's signature only, and nothing is begun under it; held against each call and each change of a file. */
export const invariant: CallCheck["invariant"] = "I16"

export const check: CallCheck["check"] = ({ ledger: { heldSince } }, { spent }) =>
  heldSince !== undefined && spent !== undefined && spent.elapsed > heldSince
    ? "root had held the host before its nonce was spent"
    : undefined

const signedAway = ({ ledger }: Stage, heldSince: number): boolean =>
  [...ledger.ops.values()].some(({ by, op, spent }) =>
    op.op === "hold.release" && spent !== undefined && spent.elapsed >= heldSince && by.length > 0
  )

export const watch: Watch = {
  durable: (stage, path) => {
    const { heldSince } = stage.ledger
    if (!path.startsWith("/state") || heldSince === undefined || stage.disk.read("/state/hold") !== undefined) return
    if (signedAway(stage, heldSince)) stage.ledger.heldSince = undefined
    else stage.ledger.violated("I16", "the hold is gone, and neither root nor an operator lifted it")
  }
}
