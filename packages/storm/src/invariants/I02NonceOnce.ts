import type { CallCheck } from "./Calls.ts"

/** I2: a nonce leads to at most one destructive call, over all crashes and within the epoch that its op names; held against each call. */
export const invariant: CallCheck["invariant"] = "I2"

export const check: CallCheck["check"] = ({ ledger }, { op }) => {
  const before = [...ledger.ops.values()].filter((other) =>
    other.op.nonce === op.nonce && other.op.hostEpoch === op.hostEpoch
  )
    .reduce((sum, { calls }) => sum + calls.length, 0)
  return before === 0 ? undefined : `its nonce led to ${before} call(s) before`
}
