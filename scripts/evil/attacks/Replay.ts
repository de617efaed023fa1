import { Effect } from "effect"
import type { Attack } from "../Attack.ts"
import { target } from "../Payload.ts"

export const attack: Attack = {
  name: "the same op once more, after it was done",
  invariant: "a nonce leads to at most one call",
  // Just what the op once asked for is there again.
  before: (stage) => stage.console({ _tag: "guest.status", vmid: target, status: "running" }),
  answer: (stage) => Effect.succeed({ ops: [stage.spent] }),
  seen: "silent"
}
