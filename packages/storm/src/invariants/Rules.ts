import type { Ledger } from "../Ledger.ts"

/**
 * How many of those who signed count, and how many it takes, by each of the rules that may have been read at that time: those of then,
 * and those that another took the place of in that very moment.
 */
export const countingAt = (
  { rules }: Ledger,
  elapsed: number,
  by: ReadonlyArray<string>
): ReadonlyArray<{ readonly signers: number; readonly threshold: number }> => {
  const last = rules.findLastIndex(({ since }) => since < elapsed)
  return rules.slice(Math.max(0, last)).filter(({ since }) => since <= elapsed).map(
    ({ allowed, revoked, threshold }) => ({
      signers: new Set(by.filter((name) => allowed.has(name) && !revoked.has(name))).size,
      threshold
    })
  )
}
