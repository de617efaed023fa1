import type { CallCheck } from "./Calls.ts"
import { rulesAt } from "./Rules.ts"

/** I7: as many distinct signers as root's policy wants have signed; held against each call, by the rules when its nonce was spent. */
export const invariant: CallCheck["invariant"] = "I7"

export const check: CallCheck["check"] = ({ ledger }, { by, spent }) =>
  spent === undefined || rulesAt(ledger, spent.elapsed).some(({ threshold }) => new Set(by).size >= threshold)
    ? undefined
    : `signed by ${[...new Set(by)].join(", ") || "nobody"} only`
