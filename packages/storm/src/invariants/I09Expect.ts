import { unmetOf } from "../Truth.ts"
import type { CallCheck } from "./Calls.ts"

/**
 * I9: the target is what the operator was shown; held against each call. What changes between the last look and the call nobody can
 * see, so it counts only where it was another thing already when the nonce was spent, which comes before that look.
 */
export const invariant: CallCheck["invariant"] = "I9"

export const check: CallCheck["check"] = ({ machine }, { op, unmetWhenSpent }) => {
  if (unmetWhenSpent === undefined) return undefined
  const now = unmetOf(machine, op)
  return now === undefined ? undefined : `its target is not what was shown: ${now}`
}
