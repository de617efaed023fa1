import { Effect } from "effect"
import type { Attack } from "../Attack.ts"

export const attack: Attack = {
  name: "a payload that is no base64",
  invariant: "what is not understood is not done",
  answer: () => Effect.succeed({ ops: [{ payload: "!!!!", signatures: ["none"] }] }),
  seen: { kind: /^op\.refused$/, message: /base64/ }
}
