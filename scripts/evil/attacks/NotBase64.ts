import { Effect } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "a payload that is no base64",
  invariant: "what is not understood is not done",
  ops: () => Effect.succeed([{ payload: "!!!!", signatures: ["none"] }]),
  word: refused("encoding")
}
