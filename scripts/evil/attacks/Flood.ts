import { Effect } from "effect"
import type { Attack } from "../Attack.ts"
import { opOn, signedBy } from "../Payload.ts"

export const attack: Attack = {
  name: "sixty ops of strangers at once",
  invariant: "a flood of refusals is bounded",
  answer: (stage) =>
    Effect.map(
      Effect.forEach(Array.from({ length: 60 }), () => signedBy(opOn(stage), stage.hands.stranger)),
      (ops) => ({ ops })
    ),
  seen: { kind: /^op\.refused$/, message: /not on the allow-list/ }
}
