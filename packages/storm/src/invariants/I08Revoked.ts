import type { CallCheck } from "./Calls.ts"
import { rulesAt } from "./Rules.ts"

/** I8: whoever root struck off or revoked does not count; held against each call, by the rules when its nonce was spent. */
export const invariant: CallCheck["invariant"] = "I8"

export const check: CallCheck["check"] = ({ ledger }, { by, spent }) => {
  if (spent === undefined) return undefined
  const enough = rulesAt(ledger, spent.elapsed).some(({ allowed, revoked, threshold }) => {
    const counting = new Set(by.filter((name) => allowed.has(name) && !revoked.has(name)))
    return counting.size >= Math.min(threshold, new Set(by).size) && counting.size > 0
  })
  return enough ? undefined : `of its signers ${by.join(", ") || "(none)"} too few may still sign`
}
