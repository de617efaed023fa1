import { Effect } from "effect"
import type { Attack } from "../Attack.ts"

export const attack: Attack = {
  name: "an answer that never ends",
  invariant: "with the hub down the agent neither exits nor waits for ever",
  answer: () => Effect.succeed({ hangsAfter: "{\"typ\":" }),
  alone: true,
  seen: { kind: /^hub\.unreachable$/, message: /./ }
}
