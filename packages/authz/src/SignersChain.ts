import { Crypto } from "@felhom/domain/port/Crypto"
import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import { NonceStore } from "@felhom/durable/NonceStore"
import { Context, Effect, Either, Layer, Option } from "effect"
import { AcceptedSigners } from "./AcceptedSigners.ts"
import type { HostPolicy } from "./HostPolicy.ts"
import { Signers, type SignersReading } from "./Signers.ts"
import { SignersRefused } from "./SignersRefused.ts"
import { adopting, continuing, type GoodVersion, type SignedVersion } from "./SignersVersion.ts"

/** What an operator was shown of the signers: which version, and the hash of the allow-list that holds. */
export interface ShownSigners {
  readonly version: number
  readonly sha256: Sha256Hex
}

/** Why the signers are not what the operator was shown; undefined when they are. Version 0 is root's own list. */
export const signersUnmet = ({ held, sha256 }: SignersReading, shown: ShownSigners): string | undefined => {
  const version = Option.match(held, { onNone: () => 0, onSome: ({ document }) => document.version })
  if (version !== shown.version) return `the host has version ${version} of its signers, and not ${shown.version}`
  return sha256 === shown.sha256 ? undefined : "another list of signers holds"
}

/** Takes versions of the fleet's signers, each only if the one before lets it (protocol 5). */
export class SignersChain extends Context.Tag("felhom/authz/SignersChain")<SignersChain, {
  /**
   * Takes a version that continues from what the host has; none when it is the one that the host has. `before` is done first, once
   * it is known to be good, and may stop it.
   */
  readonly follow: (
    signed: SignedVersion,
    before: (good: GoodVersion) => Effect.Effect<void, DurableLogError>
  ) => Effect.Effect<Option.Option<GoodVersion>, SignersRefused>
  /** Takes a version on a signed op's word, if the signers are still what was shown; else says why they are not. */
  readonly adopt: (signed: SignedVersion, shown: ShownSigners) => Effect.Effect<string | undefined, SignersRefused>
}>() {}

type Needs = AcceptedSigners | Signers | HostPolicy | NonceStore | Crypto | SignatureCrypto

/** Over the stores and root's files. */
export const make: Effect.Effect<typeof SignersChain.Service, never, Needs> = Effect.gen(function*() {
  const accepted = yield* AcceptedSigners
  const signers = yield* Signers
  const nonces = yield* NonceStore
  const crypto = yield* Crypto
  const context = yield* Effect.context<Signers | HostPolicy | Crypto | SignatureCrypto>()

  const nameOf = ({ payload }: SignedVersion) =>
    Either.match(decodeCanonicalBase64(payload), {
      onLeft: () => Effect.succeed(null),
      onRight: (bytes) => crypto.sha256(bytes)
    })
  const stored = (sha256: Sha256Hex | null) => (error: { readonly message: string }) =>
    new SignersRefused({ reason: "store", detail: error.message, sha256 })

  /** A clock that was set back would give time to those whose time has run out. */
  const clockGoesOn = (sha256: Sha256Hex | null) =>
    Effect.catchTags(Effect.asVoid(nonces.trustedTime), {
      ClockBehind: ({ message }) =>
        Effect.fail(new SignersRefused({ reason: "clock-behind", detail: message, sha256 })),
      DurableLogError: (error) => Effect.fail(stored(sha256)(error))
    })

  return SignersChain.of({
    follow: (signed, before) =>
      Effect.gen(function*() {
        const name = yield* nameOf(signed)
        const held = yield* Effect.mapError(accepted.current, stored(name))
        if (Option.isSome(held) && held.value.sha256 === name) return Option.none<GoodVersion>()
        yield* clockGoesOn(name)
        let good: GoodVersion | undefined
        yield* accepted.change(() =>
          Effect.gen(function*() {
            const found = yield* Effect.provide(continuing(signed), context)
            yield* before(found)
            good = found
            return found.next
          })
        ).pipe(Effect.catchTags({
          KeptDocumentError: (error) => Effect.fail(stored(name)(error)),
          DurableLogError: (error) => Effect.fail(stored(name)(error))
        }))
        return Option.fromNullable(good)
      }),
    adopt: (signed, shown) =>
      Effect.gen(function*() {
        const name = yield* nameOf(signed)
        let unmet: string | undefined
        yield* accepted.change(() =>
          Effect.gen(function*() {
            const reading = yield* Effect.mapError(signers.current, stored(name))
            unmet = signersUnmet(reading, shown)
            if (unmet === undefined) {
              const { next } = yield* Effect.provide(adopting(signed), context)
              if (next.anchor === reading.root.sha256) return next
              unmet = "root has just edited the host's allow-list"
            }
            return yield* Effect.fail({ _tag: "Unmet" as const })
          })
        ).pipe(Effect.catchTags({
          Unmet: () => Effect.void,
          KeptDocumentError: (error) => Effect.fail(stored(name)(error))
        }))
        return unmet
      })
  })
})

export const layer: Layer.Layer<SignersChain, never, Needs> = Layer.effect(SignersChain, make).pipe(
  Layer.ensureRequirementsType<Needs>()
)
