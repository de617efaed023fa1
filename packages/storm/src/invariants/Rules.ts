import type { Ledger, Rules } from "../Ledger.ts"

/** The rules that may have been read at that time: those of then, and those that another took the place of in that very moment. */
export const rulesAt = ({ rules }: Ledger, elapsed: number): ReadonlyArray<Rules> => {
  const last = rules.findLastIndex(({ since }) => since < elapsed)
  return rules.slice(Math.max(0, last)).filter(({ since }) => since <= elapsed)
}
