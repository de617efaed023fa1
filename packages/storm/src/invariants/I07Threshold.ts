import type { CallCheck } from "./Calls.ts"
import { countingAt } from "./Rules.ts"

/** I7: as many distinct signers as root's policy wants have signed; held against each call, by the rules when its nonce was spent. */
export const invariant: CallCheck["invariant"] = "I7"

export const check: CallCheck["check"] = ({ ledger }, { by, spent }) =>
  spent === undefined || countingAt(ledger, spent.elapsed, by).some(({ signers, threshold }) => signers >= threshold)
    ? undefined
    : `of its signers ${by.join(", ") || "(none)"} fewer count than root wants`
