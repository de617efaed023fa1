import { describe, it } from "@effect/vitest"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked, readRevocationList, RevocationListError } from "@felhom/authz/RevocationList"
import { fromRevocations, fromSigners, type SignatureRefused } from "@felhom/authz/SignatureRefused"
import { usualDemands, type Verified, verifySignature } from "@felhom/authz/VerifySignature"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Effect, Either } from "effect"
import { expect } from "vitest"
import { answers, momentOf, type Vector, vectors } from "./Vectors.ts"

const revocations = (revoked: Vector["revoked_b64"]) => {
  if (revoked === null) return Either.right(nothingRevoked)
  // A file that is configured and not there is a list that can't be read.
  return revoked === "MISSING"
    ? Either.left(new RevocationListError({ reason: "line", detail: "it is not there" }))
    : readRevocationList(revoked)
}

const answerText = (answer: Either.Either<Verified, SignatureRefused>): string =>
  Either.match(answer, {
    onLeft: ({ detail, reason }) => `${reason}: ${detail}`,
    onRight: ({ fingerprint, signers }) => `counts: ${fingerprint}, line ${signers.map(({ line }) => line).join(" ")}`
  })

const judged = (vector: Vector) =>
  Effect.gen(function*() {
    const signers = yield* Either.mapLeft(readAllowedSigners(vector.allowed_signers_b64), fromSigners)
    const revoked = yield* Either.mapLeft(revocations(vector.revoked_b64), fromRevocations)
    return yield* verifySignature(vector.signature_b64, {
      message: vector.message_b64,
      namespace: vector.namespace,
      at: momentOf(vector.verify_time),
      signers,
      revoked,
      demands: usualDemands
    }, vector.principal)
  })

describe("a signature is judged as its vector says:", () => {
  for (const vector of vectors) {
    it.effect(`${vector.policy.verdict} ${vector.id}: ${vector.desc}`, () =>
      Effect.gen(function*() {
        const answer = yield* Effect.either(judged(vector))
        const verdict = Either.isRight(answer) ? "accept" : "reject"
        expect([verdict, Either.isLeft(answer) ? answer.left.message : ""]).toEqual([
          vector.policy.verdict,
          expect.any(String)
        ])
        // For the reason that is meant, too, and in words that say where.
        expect(answerText(answer)).toBe(answers[vector.id])
        if (Either.isLeft(answer)) expect(answer.left._tag).toBe("SignatureRefused")
        else {
          expect(vector.oracle.verdict).toBe("accept")
          expect(Object.values(vector.also)).not.toContain("reject")
        }
      }).pipe(Effect.provide(signatureCrypto)))
  }

  it("all of them are here, and both verdicts are among them", () => {
    expect(vectors).toHaveLength(342)
    expect(vectors.filter(({ policy }) => policy.verdict === "accept").length).toBeGreaterThan(50)
  })
})
