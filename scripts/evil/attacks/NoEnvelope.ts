import { Effect } from "effect"
import type { Attack } from "../Attack.ts"

export const attack: Attack = {
  name: "an answer that is no envelope",
  invariant: "what is not understood is not done",
  answer: () => Effect.succeed({ body: "{\"ops\": [" }),
  alone: true,
  seen: { kind: /^hub\.(?:refused|unreachable)$/, message: /./ }
}
