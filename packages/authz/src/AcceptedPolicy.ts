import { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { EpochMillis } from "@felhom/domain/Time"
import { type KeptDocumentError, makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Clock, Context, Effect, Encoding, Layer, Option, Schema } from "effect"
import { parsePolicy, type PolicyDocument } from "./PolicyDocument.ts"

/** A policy that operators' signatures put in the place of root's. */
export interface HeldPolicy {
  /** SHA-256 of root's file at that time, null where there was none: it holds while that is the same. */
  readonly anchor: Sha256Hex | null
  /** Of the document's exact bytes. */
  readonly sha256: Sha256Hex
  readonly policy: PolicyDocument
}

/** The last `policy.widen` that was done, in the state folder. */
export class AcceptedPolicy extends Context.Tag("felhom/authz/AcceptedPolicy")<AcceptedPolicy, {
  readonly current: Effect.Effect<Option.Option<HeldPolicy>, KeptDocumentError>
  /** Keeps these bytes, a policy, for as long as root's file is the one with this hash. On the disk when it answers. */
  readonly keep: (document: Uint8Array, anchor: Sha256Hex | null) => Effect.Effect<void, KeptDocumentError>
}>() {}

const Kept = Schema.Struct({
  typ: Schema.Literal("felhom/accepted-policy/v1"),
  anchor: Schema.NullOr(Sha256Hex),
  sha256: Sha256Hex,
  at: EpochMillis,
  /** The exact bytes, in base64. */
  document: Schema.String
})
type Kept = typeof Kept.Type

/** Keeps `accepted-policy.json` in the state folder. */
export const make = (
  directory: string
): Effect.Effect<typeof AcceptedPolicy.Service, never, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    let last: HeldPolicy | undefined
    const read = ({ anchor, document, sha256 }: Kept): Effect.Effect<HeldPolicy, string> =>
      Effect.gen(function*() {
        if (last?.sha256 === sha256 && last.anchor === anchor) return last
        const bytes = yield* decodeCanonicalBase64(document)
        if ((yield* crypto.sha256(bytes)) !== sha256) {
          return yield* Effect.fail("what it holds has not the hash it names")
        }
        last = { anchor, sha256, policy: yield* parsePolicy(bytes) }
        return last
      })
    const kept = yield* makeKeptDocument({
      path: `${directory.replace(/\/+$/, "")}/accepted-policy.json`,
      schema: Kept,
      understand: (found) => Effect.asVoid(read(found))
    })
    return AcceptedPolicy.of({
      // What was kept was understood before.
      current: Effect.flatMap(
        kept.current,
        (found) => Option.isNone(found) ? Effect.succeedNone : Effect.asSome(Effect.orDie(read(found.value)))
      ),
      keep: (document, anchor) =>
        Effect.asVoid(kept.change(() =>
          Effect.gen(function*() {
            return {
              typ: "felhom/accepted-policy/v1" as const,
              anchor,
              sha256: yield* crypto.sha256(document),
              at: EpochMillis.make(yield* Clock.currentTimeMillis),
              document: Encoding.encodeBase64(document)
            }
          })
        ))
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<AcceptedPolicy, never, DurableFile | Crypto> =>
  Layer.effect(AcceptedPolicy, make(directory)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto>())
