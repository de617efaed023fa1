import { Effect } from "effect"
import type { OpsAttack } from "../Attack.ts"
import { known } from "../Word.ts"

export const attack: OpsAttack = {
  name: "the same op once more, after it was done",
  invariant: "a nonce leads to at most one call",
  ops: (stage) => Effect.succeed([stage.spent]),
  word: known
}
