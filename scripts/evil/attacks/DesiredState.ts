import { Effect, Encoding } from "effect"
import type { Attack } from "../Attack.ts"

export const attack: Attack = {
  name: "a desired state in which no guest is left",
  invariant: "absence never destroys",
  answer: () =>
    Effect.succeed({
      ops: [],
      envelope: { desired: Encoding.encodeBase64(JSON.stringify({ typ: "felhom/desired/v1", state: { guests: [] } })) }
    }),
  seen: { kind: /^envelope\.ignored$/, message: /desired state/ }
}
