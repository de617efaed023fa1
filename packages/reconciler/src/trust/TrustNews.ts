import type { SignersRefused } from "@felhom/authz/SignersRefused"
import type { GoodVersion } from "@felhom/authz/SignersVersion"
import type { HostEpoch } from "@felhom/domain/HostId"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import type { AuditChain } from "@felhom/durable/AuditChain"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import type { StateFile } from "@felhom/durable/StateFile"
import { Context, Effect, Layer } from "effect"
import type { DesiredRefused } from "../desired/DesiredRefused.ts"
import { line, makeTelling } from "../Telling.ts"

/** Tells of whom the host trusts, of its policy, and of which desired state it takes. An event is in the durable queue when it answers. */
export class TrustNews extends Context.Tag("felhom/reconciler/TrustNews")<TrustNews, {
  /** Fails where it can't be written into the audit chain: such a version is not taken. */
  readonly signersAudited: (good: GoodVersion) => Effect.Effect<void, DurableLogError>
  readonly signersTaken: (good: GoodVersion) => Effect.Effect<void>
  readonly signersRefused: (error: SignersRefused) => Effect.Effect<void>
  readonly policyChanged: (before: Sha256Hex | null, after: Sha256Hex) => Effect.Effect<void>
  /** Fails where it can't be written into the audit chain: such a state is not taken. */
  readonly desiredAudited: (
    taken: { readonly epoch: HostEpoch; readonly version: number; readonly sha256: Sha256Hex }
  ) => Effect.Effect<void, DurableLogError>
  readonly desiredRefused: (error: DesiredRefused) => Effect.Effect<void>
  readonly epochAccepted: (before: HostEpoch | null, after: HostEpoch) => Effect.Effect<void>
}>() {}

/** Into the durable queue of events and the audit chain. */
export const make: Effect.Effect<typeof TrustNews.Service, never, StateFile | AuditChain> = Effect.gen(function*() {
  const { chain, note, tell } = yield* makeTelling
  return TrustNews.of({
    signersAudited: ({ next: { document, sha256 }, principals, revocation }) =>
      Effect.asVoid(
        chain.append({
          _tag: "signers.accepted",
          fleet: document.fleet,
          version: document.version,
          sha256,
          principals,
          revocation
        })
      ),
    signersTaken: ({ next: { document, sha256 }, principals, revocation }) =>
      tell({
        kind: "signers.accepted",
        severity: "info",
        subject: sha256,
        message: line(
          `${
            revocation ? "keys were revoked by" : "took"
          } version ${document.version} of the fleet's signers, signed by ${principals.join(", ")} (${document.reason})`
        )
      }),
    signersRefused: (error) =>
      Effect.zipRight(
        note({ _tag: "signers.refused", sha256: error.sha256, reason: error.reason, detail: error.detail }),
        tell({ kind: "signers.refused", severity: "warning", subject: error.sha256, message: line(error.message) })
      ),
    policyChanged: (before, after) =>
      Effect.zipRight(
        note({ _tag: "policy.changed", before, after }),
        tell({
          kind: "policy.changed",
          severity: "warning",
          subject: after,
          message: `the policy ${after} holds by operators' signatures, until root edits the host's own file`
        })
      ),
    desiredAudited: ({ epoch, sha256, version }) =>
      Effect.asVoid(chain.append({ _tag: "desired.accepted", epoch, version, sha256 })),
    desiredRefused: (error) =>
      tell({ kind: "desired.refused", severity: "warning", subject: error.sha256, message: line(error.message) }),
    epochAccepted: (before, after) =>
      Effect.zipRight(
        note({ _tag: "desired.epoch", before, after }),
        tell({
          kind: "desired.epoch",
          severity: "warning",
          subject: after,
          message: `desired state is taken from the hub's epoch ${after} from now on, by operators' signatures`
        })
      )
  })
})

export const layer: Layer.Layer<TrustNews, never, StateFile | AuditChain> = Layer.effect(TrustNews, make).pipe(
  Layer.ensureRequirementsType<StateFile | AuditChain>()
)
