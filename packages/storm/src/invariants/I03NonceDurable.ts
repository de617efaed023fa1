import type { CallCheck } from "./Calls.ts"

/** I3: the nonce outlives a power cut before the call leaves; held against each call, on what of the disk is certain then. */
export const invariant: CallCheck["invariant"] = "I3"

export const check: CallCheck["check"] = (_stage, { spent }) =>
  spent === undefined ? "its nonce is not on the disk for good" : undefined
