import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { Context, Effect, Either, Layer, Option } from "effect"
import { AcceptedPolicy } from "./AcceptedPolicy.ts"
import { parsePolicy, type PolicyDocument, usualPolicy } from "./PolicyDocument.ts"

/** The policy as it was read just now. */
export interface PolicyReading {
  /** The last good one; the usual one where there never was a file. */
  readonly policy: PolicyDocument
  /** Of the document that it came from; null where there is none. */
  readonly sha256: Sha256Hex | null
  /** Of root's file; another than `sha256` where operators widened it. Null where there is none. */
  readonly root: Sha256Hex | null
  /** Why the file that is there now can't be taken. While there is one, nothing is destroyed on this host. */
  readonly problem: Option.Option<string>
}

/**
 * What is allowed on this host, read anew each time: root's file, or the policy that operators signed to be put in its place, for
 * as long as root's file stays the one that it was.
 */
export class HostPolicy extends Context.Tag("felhom/authz/HostPolicy")<HostPolicy, {
  readonly current: Effect.Effect<PolicyReading>
}>() {}

/** Reads root's file at the path. */
export const make = (
  path: string
): Effect.Effect<typeof HostPolicy.Service, never, DurableFile | Crypto | AcceptedPolicy> =>
  Effect.gen(function*() {
    const files = yield* DurableFile
    const crypto = yield* Crypto
    const accepted = yield* AcceptedPolicy
    let good: { readonly policy: PolicyDocument; readonly sha256: Sha256Hex | null } = {
      policy: usualPolicy,
      sha256: null
    }
    const held = (problem: Option.Option<string>): PolicyReading => ({ ...good, root: good.sha256, problem })
    const kept = (why: string): PolicyReading => held(Option.some(`${path}: ${why}`))

    const ofRoot = Effect.gen(function*() {
      const found = yield* files.read(path)
      if (Option.isNone(found)) {
        return good.sha256 === null
          ? held(Option.none())
          : kept("the file was there and is gone; put it back, or start the agent anew to go on without")
      }
      const sha256 = yield* crypto.sha256(found.value)
      if (sha256 === good.sha256) return held(Option.none())
      const parsed = parsePolicy(found.value)
      if (Either.isLeft(parsed)) return kept(`it is no policy that this version knows: ${parsed.left}`)
      good = { policy: parsed.right, sha256 }
      return held(Option.none())
    }).pipe(Effect.catchAll((error) => Effect.succeed(kept(error.detail))))

    return HostPolicy.of({
      current: Effect.flatMap(ofRoot, (reading) =>
        Effect.match(accepted.current, {
          onFailure: ({ message }) => ({ ...reading, problem: Option.some(message) }),
          onSuccess: (widened) =>
            Option.isSome(widened) && widened.value.anchor === reading.root
              ? { ...reading, policy: widened.value.policy, sha256: widened.value.sha256 }
              : reading
        }))
    })
  })

/** What `make` reads. */
export const layer = (path: string): Layer.Layer<HostPolicy, never, DurableFile | Crypto | AcceptedPolicy> =>
  Layer.effect(HostPolicy, make(path)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto | AcceptedPolicy>())
