import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked, readRevocationList } from "@felhom/authz/RevocationList"
import { usualDemands, verifySignature } from "@felhom/authz/VerifySignature"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Effect, Either } from "effect"
import { momentOf, type Vector, vectors } from "../../../packages/authz/test/Vectors.ts"
import type { Wrongs } from "../Planted.ts"

const accepts = (vector: Vector) =>
  Effect.gen(function*() {
    const { revoked_b64: revoked } = vector
    // A file that is configured and not there is a list that can't be read.
    if (revoked === "MISSING") return yield* Effect.fail("no list")
    return yield* verifySignature(vector.signature_b64, {
      message: vector.message_b64,
      namespace: vector.namespace,
      at: momentOf(vector.verify_time),
      signers: yield* readAllowedSigners(vector.allowed_signers_b64),
      revoked: revoked === null ? nothingRevoked : yield* readRevocationList(revoked),
      demands: usualDemands
    }, vector.principal)
  }).pipe(Effect.either, Effect.map(Either.isRight))

/** Every signature of the vectors is judged as its vector says. */
export const wrongs: Wrongs = Effect.forEach(
  vectors,
  (vector) =>
    Effect.map(accepts(vector), (accepted) =>
      accepted === (vector.policy.verdict === "accept")
        ? []
        : [`${vector.id} is ${accepted ? "accepted" : "refused"}`])
).pipe(
  Effect.map((found) => found.flat()),
  Effect.provide(signatureCrypto)
)
