import { makeRateCap } from "@felhom/authz/RateCap"
import { SignersChain } from "@felhom/authz/SignersChain"
import type { SignersRefused } from "@felhom/authz/SignersRefused"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Context, Effect, Layer, Option } from "effect"
import { makeOnce } from "./Once.ts"
import { TrustNews } from "./TrustNews.ts"

/** Where versions of the fleet's signers come in: each is taken in its turn, or told of once and left. */
export class SignersIntake extends Context.Tag("felhom/reconciler/SignersIntake")<SignersIntake, {
  /** The versions of an envelope, oldest first. A hold does not keep them out: they may take keys away. */
  readonly fromHub: (versions: ReadonlyArray<SignedBytes>) => Effect.Effect<void>
}>() {}

type Needs = SignersChain | TrustNews | Crypto

/** More versions of one envelope than this wait for the next. */
const perEnvelope = 64
/** How many are looked at: at once, and in each minute. Each signature costs a verification. */
const looks = { atOnce: perEnvelope, perMinute: perEnvelope } as const
const toldRefusals = { atOnce: 20, perMinute: 10 } as const

/** With nothing told yet. */
export const make: Effect.Effect<typeof SignersIntake.Service, never, Needs> = Effect.gen(function*() {
  const chain = yield* SignersChain
  const news = yield* TrustNews
  const crypto = yield* Crypto
  const mayLook = yield* makeRateCap(looks)
  const mayTell = yield* makeRateCap(toldRefusals)
  const told = makeOnce()
  const audited = makeOnce()

  // It is looked at again each time, as what stands in its way may pass; it is told of once for each reason.
  const refused = (error: SignersRefused, name: string) =>
    Effect.gen(function*() {
      const key = `${name} ${error.reason}`
      if (told.has(key)) return
      if (!(yield* mayTell)) return yield* Effect.logDebug("signers are refused", error.message)
      told.add(key)
      yield* news.signersRefused(error)
    })

  const one = (signed: SignedBytes) =>
    Effect.gen(function*() {
      const name = yield* crypto.sha256(JSON.stringify([signed.payload, signed.signatures]))
      if (!(yield* mayLook)) return yield* Effect.logDebug("signers are looked at again in a minute")
      const taken = chain.follow(signed, (good) =>
        audited.has(good.next.sha256)
          ? Effect.void
          : Effect.zipRight(news.signersAudited(good), Effect.sync(() => audited.add(good.next.sha256))))
      yield* Effect.matchEffect(taken, {
        onFailure: (error) => refused(error, name),
        onSuccess: Option.match({ onNone: () => Effect.void, onSome: news.signersTaken })
      })
    }).pipe(Effect.uninterruptible)

  return SignersIntake.of({
    fromHub: (versions) => Effect.forEach(versions.slice(0, perEnvelope), one, { discard: true })
  })
})

export const layer: Layer.Layer<SignersIntake, never, Needs> = Layer.effect(SignersIntake, make).pipe(
  Layer.ensureRequirementsType<Needs>()
)
