import { encodeAttachedSigners } from "@felhom/domain/SignersDocument"
import { Effect, Encoding } from "effect"
import { createHash } from "node:crypto"
import type { OpsAttack } from "../Attack.ts"
import { bytesOf, opOn, signedBy } from "../Payload.ts"
import { refused } from "../Word.ts"

export const attack: OpsAttack = {
  name: "strangers as the new signers, by an op that one person signed",
  invariant: "whom a host trusts is changed by those it trusts alone, and never taken back",
  ops: (stage) =>
    Effect.gen(function*() {
      const list = { typ: "felhom/signers/v1", fleet: "f".repeat(32), version: 1 }
      const attached = yield* signedBy(list, stage.hands.stranger, stage.hands.strangersFriend)
      const op = opOn(stage, {
        op: "signers.update",
        target: { sha256: createHash("sha256").update(bytesOf(list)).digest("hex") },
        expect: { version: 0, sha256: stage.trust.signers },
        params: { version: 1 }
      })
      const signed = yield* signedBy(op, stage.hands.anna)
      return [{ ...signed, document: Encoding.encodeBase64(encodeAttachedSigners(attached)) }]
    }),
  word: refused("threshold", /1 of the 2/)
}
