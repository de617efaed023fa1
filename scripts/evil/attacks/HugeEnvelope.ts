import { Effect } from "effect"
import type { Attack } from "../Attack.ts"

export const attack: Attack = {
  name: "an answer of four mebibytes",
  invariant: "what is too large is not even decoded",
  answer: () => Effect.succeed({ body: JSON.stringify({ ops: ["x".repeat(4 * 1024 * 1024)] }) }),
  alone: true,
  seen: { kind: /^hub\.(?:refused|unreachable)$/, message: /./ }
}
