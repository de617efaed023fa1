import type { CallCheck } from "./Calls.ts"

/** I4: nothing is done after the op's expiry, by the host's own clock; held against each call as it leaves. */
export const invariant: CallCheck["invariant"] = "I4"

export const check: CallCheck["check"] = (_stage, { op }, { sentAt }) =>
  sentAt < op.exp ? undefined : `it leaves ${sentAt - op.exp} ms after its expiry`
