import type { CallCheck } from "./Calls.ts"
import { countingAt } from "./Rules.ts"

/** I8: whoever root struck off or revoked does not count; held against each call, by the rules when its nonce was spent. */
export const invariant: CallCheck["invariant"] = "I8"

export const check: CallCheck["check"] = ({ ledger }, { by, spent }) =>
  spent === undefined || countingAt(ledger, spent.elapsed, by).some(({ signers }) => signers > 0)
    ? undefined
    : `none of its signers ${by.join(", ") || "(none)"} may sign`
