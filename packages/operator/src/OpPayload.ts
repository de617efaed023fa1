import { Crypto } from "@felhom/domain/port/Crypto"
import { decodeSignedOp, longestValidity, opType, SignedOp } from "@felhom/domain/SignedOp"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Effect, Either, Schema } from "effect"
import { OperatorError } from "./OperatorError.ts"
import { type Operation, trustIn } from "./OpExpectation.ts"
import type { Witnessed } from "./SignedHost.ts"

/** How far this machine's clock may be ahead of the host's before an op counts as not yet good, in milliseconds. */
const clockSlack = 120_000

/** 192 bits: more than the 128 that protocol 5 asks for. */
const nonceBytes = 24

const encode = Schema.encodeEither(SignedOp)

/** What is refused here is a mistake of the one who asked, or something that the host did not say. */
const unfit = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

/**
 * The bytes to sign: the operation on the host that said all this, good from two minutes ago for so many milliseconds. Read back
 * as a host will read them.
 */
export const makePayload = (
  sight: Witnessed,
  operation: Operation,
  options: { readonly reason: string; readonly validFor: number }
): Effect.Effect<{ readonly bytes: Uint8Array; readonly op: SignedOp }, OperatorError, Crypto> =>
  Effect.gen(function*() {
    const { reason, validFor } = options
    if (validFor > longestValidity) return yield* unfit("an op is good for a day at most (--valid-for)")
    const trust = yield* Either.mapLeft(trustIn(sight), (why) => unfit(`host ${sight.report.host.node}: ${why}`))
    const now = yield* Clock.currentTimeMillis
    const crypto = yield* Crypto
    const common = {
      typ: opType,
      host: sight.report.host.id,
      hostEpoch: trust.opEpoch,
      nonce: yield* crypto.randomHex(nonceBytes),
      iat: EpochMillis.make(now),
      nbf: EpochMillis.make(now - clockSlack),
      exp: EpochMillis.make(now + validFor),
      storeSeqMin: trust.storeSeq,
      reason
    } as const
    const wire = yield* Either.mapLeft(
      encode({ ...common, ...operation }),
      ({ message }) => unfit(`this can't be written as an op: ${message}`)
    )
    const bytes = new TextEncoder().encode(JSON.stringify(wire))
    const op = yield* Either.mapLeft(decodeSignedOp(bytes), ({ message }) => unfit(message))
    return { bytes, op }
  })
