import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import { opSubject } from "@felhom/domain/OpWords"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeSignedOp, longestOp, opNamespace, type SignedOp } from "@felhom/domain/SignedOp"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import { Hold } from "@felhom/durable/Hold"
import { NonceStore } from "@felhom/durable/NonceStore"
import { type Mandate, MandateMint } from "@felhom/mandate/Mandate"
import { Clock, Context, Effect, Either, Layer, Option } from "effect"
import { HostPolicy } from "./HostPolicy.ts"
import { HubTime, hubTolerance } from "./HubTime.ts"
import { type Attachment, attachmentOf } from "./OpAttachment.ts"
import { OpRefused, type RefusalReason } from "./OpRefused.ts"
import { thresholdFor } from "./PolicyDocument.ts"
import { makeRateCap } from "./RateCap.ts"
import { signedDestruction } from "./SignedDestruction.ts"
import { Signers } from "./Signers.ts"
import { mostSignatures, verifyThreshold } from "./Threshold.ts"

/** How a signed op came: in the hub's envelope, or from a file that root gave to the daemon, without any hub (protocol 5). */
export type OpOrigin = "hub" | "console"

/** An op whose signatures hold, and which may be done as far as can be told now. */
export interface VerifiedOp {
  readonly op: SignedOp
  /** Of the exact bytes that were signed. */
  readonly payload: Sha256Hex
  /** Who signed, by their plain names on the host's allow-list. */
  readonly principals: ReadonlyArray<string>
  /** What came with it; null for an op that takes nothing with it. */
  readonly attachment: Attachment | null
}

/** An op whose nonce is spent: it is done now, or never. */
export interface AdmittedOp extends VerifiedOp {
  /** Null for an op that takes nothing from Proxmox. */
  readonly mandate: Mandate | null
}

/** Decides which signed ops this host obeys (protocol 5). Fails closed: whatever can't be read refuses. */
export class Authz extends Context.Tag("felhom/authz/Authz")<Authz, {
  /** Steps 1 to 11, and that the nonce is free; `isQueued` says whether an op with that nonce waits already. Spends nothing. */
  readonly receive: (
    signed: SignedBytes,
    origin: OpOrigin,
    isQueued: (nonce: string) => boolean
  ) => Effect.Effect<VerifiedOp, OpRefused>
  /** At the head of the queue: all of that once more, then step 12. The nonce is on the disk when it answers. */
  readonly admit: (signed: SignedBytes, origin: OpOrigin) => Effect.Effect<AdmittedOp, OpRefused>
}>() {}

type Needs = NonceStore | Signers | HostPolicy | Hold | HubTime | Crypto | SignatureCrypto | MandateMint

/** What is known of an op while it is looked at, for whoever is told of its refusal. */
interface Known {
  readonly payload: Sha256Hex | null
  readonly op: SignedOp | null
}

const refuse = (known: Known, reason: RefusalReason, detail: string): OpRefused =>
  new OpRefused({
    reason,
    detail,
    payload: known.payload,
    action: known.op?.op ?? null,
    subject: known.op === null ? null : opSubject(known.op)
  })

const time = (at: number): string => new Date(at).toISOString()

// What is too long is not even decoded.
const longestPayloadText = Math.ceil(longestOp / 3) * 4

/** How many ops of a hub are looked at: at once, and in each minute. Each signature costs a verification. */
const atOnce = 64

/** For the host of this id. The only one that mints mandates from signatures. */
export const make = (host: HostId): Effect.Effect<typeof Authz.Service, never, Needs> =>
  Effect.gen(function*() {
    const nonces = yield* NonceStore
    const signers = yield* Signers
    const hostPolicy = yield* HostPolicy
    const hold = yield* Hold
    const hubTime = yield* HubTime
    const crypto = yield* Crypto
    const mint = yield* MandateMint
    const context = yield* Effect.context<SignatureCrypto | Signers | HostPolicy | Crypto>()
    const rateCap = yield* makeRateCap({ atOnce, perMinute: atOnce })

    /** Steps 1 and 2. */
    const payloadOf = (signed: SignedBytes) =>
      Effect.gen(function*() {
        const nothing: Known = { payload: null, op: null }
        if (signed.payload.length > longestPayloadText) {
          return yield* refuse(nothing, "size", `its payload is longer than ${longestOp} bytes`)
        }
        const bytes = yield* Either.mapLeft(
          decodeCanonicalBase64(signed.payload),
          (why) => refuse(nothing, "encoding", `its payload: ${why}`)
        )
        const known: Known = { payload: yield* crypto.sha256(bytes), op: null }
        if (bytes.length > longestOp) {
          return yield* refuse(known, "size", `its payload is longer than ${longestOp} bytes`)
        }
        if (signed.signatures.length > mostSignatures) {
          return yield* refuse(
            known,
            "size",
            `it has ${signed.signatures.length} signatures, more than ${mostSignatures}`
          )
        }
        return { bytes, payload: yield* crypto.sha256(bytes) }
      })

    /** Steps 3 to 10: the bytes are read only once they are known to be those that were signed. */
    const verified = (signed: SignedBytes) =>
      Effect.gen(function*() {
        const { bytes, payload } = yield* payloadOf(signed)
        const unread: Known = { payload, op: null }
        const { revoked, signers: allowed } = yield* Effect.mapError(
          signers.current,
          ({ detail, reason }) => refuse(unread, reason, detail)
        )
        const { policy, problem } = yield* hostPolicy.current
        const judgement = {
          message: bytes,
          namespace: opNamespace,
          at: EpochMillis.make(yield* Clock.currentTimeMillis),
          signers: allowed,
          revoked,
          demands: { softwareKeys: policy.signatures.softwareKeys, verification: policy.signatures.verification }
        }
        const signedBy = (threshold: number, known: Known) =>
          verifyThreshold(signed.signatures, judgement, threshold).pipe(
            Effect.provide(context),
            Effect.mapError((error) => refuse(known, error.reason, error.detail))
          )
        const first = yield* signedBy(1, unread)
        const op = yield* Either.mapLeft(
          decodeSignedOp(bytes),
          (error) => refuse(unread, error.reason === "json" ? "op-json" : "op-schema", error.detail)
        )
        const known: Known = { payload, op }
        // How many have to sign is known only now, as it depends on the op.
        const threshold = thresholdFor(policy, op.op)
        const all = yield* (first.length >= threshold ? Effect.succeed(first) : signedBy(threshold, known))
        if (Option.isSome(problem)) return yield* refuse(known, "policy", problem.value)
        return { op, payload, principals: all.map(({ principal }) => principal) }
      })

    const stored = <A>(known: Known, effect: Effect.Effect<A, DurableLogError>) =>
      Effect.mapError(effect, (error) => refuse(known, "store", error.message))

    /** The clock that the op's times are held against. */
    const clockFor = (known: Known & { readonly op: SignedOp }, origin: OpOrigin) =>
      Effect.gen(function*() {
        // The way out of a clock that once showed a time far ahead: it voids all that was signed before it.
        const now = known.op.op === "store.reanchor"
          ? yield* Clock.currentTimeMillis
          : yield* Effect.catchTags(nonces.trustedTime, {
            ClockBehind: (error) => Effect.fail(refuse(known, "clock-behind", error.message)),
            DurableLogError: (error) => Effect.fail(refuse(known, "store", error.message))
          })
        const ahead = yield* hubTime.ahead
        // What root brings to the host does not depend on what a hub says.
        if (origin === "hub" && Option.isSome(ahead) && Math.abs(ahead.value) > hubTolerance) {
          const seconds = Math.round(Math.abs(ahead.value) / 1000)
          const which = ahead.value > 0 ? "ahead of" : "behind"
          return yield* refuse(known, "clock-off", `the host's clock is ${seconds} s ${which} the hub's`)
        }
        return now
      })

    /** Step 11. */
    const allowed = (known: Known & { readonly op: SignedOp }, origin: OpOrigin) =>
      Effect.gen(function*() {
        const { op } = known
        if (op.host !== host) return yield* refuse(known, "other-host", `it is for the host ${op.host}`)
        const epoch = yield* stored(known, nonces.hostEpoch)
        if (op.hostEpoch !== epoch) {
          return yield* refuse(known, "other-epoch", `it is for the epoch ${op.hostEpoch}; this host's is ${epoch}`)
        }
        const seq = yield* stored(known, nonces.storeSeq)
        if (op.storeSeqMin > seq) {
          return yield* refuse(known, "store-behind", `the host knows ${seq} changes, and once knew ${op.storeSeqMin}`)
        }
        const now = yield* clockFor(known, origin)
        if (now < op.nbf) {
          return yield* refuse(known, "too-early", `it is good from ${time(op.nbf)} on, and it is ${time(now)}`)
        }
        if (now >= op.exp) {
          return yield* refuse(known, "too-late", `it was good until ${time(op.exp)}, and it is ${time(now)}`)
        }
        if (op.iat > now + hubTolerance) {
          return yield* refuse(known, "issued-ahead", `it says it was made at ${time(op.iat)}, and it is ${time(now)}`)
        }
        const held = yield* hold.current
        if (Option.isSome(held) && op.op !== "hold.release") {
          return yield* refuse(known, "hold", `the host is held since ${time(held.value.since)}: ${held.value.reason}`)
        }
        if (yield* stored(known, nonces.isSpent(op.nonce))) {
          return yield* refuse(known, "nonce-spent", "its nonce was used before on this host")
        }
      })

    const attached = (known: Known & { readonly op: SignedOp }, document: string | undefined) =>
      attachmentOf(known.op, document).pipe(
        Effect.provide(context),
        Effect.mapError(({ detail, reason }) => refuse(known, reason, detail))
      )

    const checked = (signed: SignedBytes, origin: OpOrigin): Effect.Effect<VerifiedOp, OpRefused> =>
      Effect.gen(function*() {
        const found = yield* verified(signed)
        yield* allowed(found, origin)
        return { ...found, attachment: yield* attached(found, signed.document) }
      })

    return Authz.of({
      receive: (signed, origin, isQueued) =>
        Effect.gen(function*() {
          if (origin === "hub" && !(yield* rateCap)) {
            return yield* refuse({ payload: null, op: null }, "rate", "the hub sends more ops than this host looks at")
          }
          const found = yield* checked(signed, origin)
          if (isQueued(found.op.nonce)) {
            return yield* refuse(found, "nonce-queued", "an op with its nonce was accepted and has not ended")
          }
          return found
        }),
      admit: (signed, origin) =>
        Effect.gen(function*() {
          const found = yield* checked(signed, origin)
          const { op, payload, principals } = found
          yield* Effect.catchTags(nonces.spend(op.nonce, op.exp), {
            NonceSpent: (error) => Effect.fail(refuse(found, "nonce-spent", error.message)),
            DurableLogError: (error) => Effect.fail(refuse(found, "store", error.message))
          })
          const destruction = signedDestruction(op)
          const mandate = destruction === null ? null : yield* mint.signed(destruction, { payload, principals })
          return { ...found, mandate }
        })
    })
  })

/** What `make` decides. */
export const layer = (host: HostId): Layer.Layer<Authz, never, Needs> =>
  Layer.effect(Authz, make(host)).pipe(Layer.ensureRequirementsType<Needs>())
