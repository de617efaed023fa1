import { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import { Context, Effect, Either, Layer, type Option } from "effect"
import { keptIn, makeKeptBytes } from "./KeptBytes.ts"
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

/** Keeps `accepted-policy.json` in the state folder. */
export const make = (
  directory: string
): Effect.Effect<typeof AcceptedPolicy.Service, never, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const kept = yield* makeKeptBytes<HeldPolicy>({
      path: keptIn(directory, "accepted-policy.json"),
      typ: "felhom/accepted-policy/v1",
      understand: ({ anchor, bytes, sha256 }) =>
        Either.map(parsePolicy(bytes), (policy) => ({ anchor, sha256, policy }))
    })
    return AcceptedPolicy.of({
      current: kept.current,
      keep: (bytes, anchor) =>
        Effect.asVoid(
          kept.change(() => Effect.map(crypto.sha256(bytes), (sha256) => ({ anchor, sha256, bytes })))
        )
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<AcceptedPolicy, never, DurableFile | Crypto> =>
  Layer.effect(AcceptedPolicy, make(directory)).pipe(Layer.ensureRequirementsType<DurableFile | Crypto>())
