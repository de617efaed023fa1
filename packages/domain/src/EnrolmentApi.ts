import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { HostId } from "./HostId.ts"
import { HostPublicKey } from "./HostKey.ts"
import { OperatorAuthorization } from "./HubPrincipal.ts"
import { HubConflict, HubForbidden, HubNotFound, HubTooManyRequests, HubUnavailable } from "./HubRefusal.ts"
import { NodeName } from "./ProxmoxId.ts"
import { EpochMillis } from "./Time.ts"

/** What a host says of itself when it asks to be let in. The token is good for one host, once. */
export const EnrolmentRequest = Schema.Struct({
  token: Schema.String.pipe(Schema.maxLength(256)),
  host: HostId,
  publicKey: HostPublicKey,
  node: NodeName,
  agentVersion: Schema.String.pipe(Schema.maxLength(64))
})
export type EnrolmentRequest = typeof EnrolmentRequest.Type

/** A random text that a hub gives out once and takes back once, within minutes. */
export const EnrolmentChallenge = Schema.Struct({
  challenge: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/))
})

/** Proof of the host key: an SSHSIG (base64 of the blob) in the namespace `enrol.v1@felhom.eu` over `claimBytes`. */
export const EnrolmentClaim = Schema.Struct({
  host: HostId,
  challenge: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)),
  signature: Schema.String.pipe(Schema.maxLength(1024))
})
export type EnrolmentClaim = typeof EnrolmentClaim.Type

/** `waiting` until a person accepted the host; then the Bearer for its reports, given out to the holder of the key only. */
export const EnrolmentAnswer = Schema.Union(
  Schema.Struct({ state: Schema.Literal("waiting") }),
  Schema.Struct({ state: Schema.Literal("accepted"), token: Schema.Redacted(Schema.String) })
)
export type EnrolmentAnswer = typeof EnrolmentAnswer.Type

/** A host in the waiting room. Its code is derived from the key by whoever shows it. */
export const WaitingHost = Schema.Struct({
  host: HostId,
  node: NodeName,
  publicKey: HostPublicKey,
  agentVersion: Schema.String,
  since: EpochMillis,
  /** Hosts in service that have the same node name: was one of them installed anew? */
  namesakes: Schema.optionalWith(Schema.Array(Schema.Struct({ host: HostId, lastSeen: EpochMillis })), {
    default: () => []
  })
})
export type WaitingHost = typeof WaitingHost.Type

/** A host that was accepted and has not reported yet. */
export const ExpectedHost = Schema.Struct({
  host: HostId,
  node: NodeName,
  acceptedAt: EpochMillis,
  acceptedBy: Schema.String,
  /** Why that calls for a person by now; null while it is early, or when somebody acknowledged it. */
  attention: Schema.NullOr(Schema.String),
  acknowledged: Schema.NullOr(Schema.String)
})
export type ExpectedHost = typeof ExpectedHost.Type

/** A one-time token as it is made; the hub keeps its hash only. */
export const EnrolmentToken = Schema.Struct({
  id: Schema.String,
  token: Schema.Redacted(Schema.String),
  expiresAt: EpochMillis
})
export type EnrolmentToken = typeof EnrolmentToken.Type

/** A token of either kind, without the token itself. */
export const TokenSummary = Schema.Struct({
  id: Schema.String,
  role: Schema.Literal("host", "viewer", "operator", "admin", "enrol"),
  label: Schema.String,
  createdAt: EpochMillis,
  /** The host it belongs to, or was used by. */
  host: Schema.NullOr(HostId),
  expiresAt: Schema.NullOr(EpochMillis),
  state: Schema.Literal("live", "used", "expired", "revoked")
})
export type TokenSummary = typeof TokenSummary.Type

/** The enrolment of hosts that have no Bearer yet: no token in the header, but a one-time token or a proof of the host key. */
export const EnrolmentGroup = HttpApiGroup.make("enrolment")
  .add(
    HttpApiEndpoint.post("ask", "/enrolments")
      .setPayload(EnrolmentRequest)
      .addSuccess(Schema.Struct({ state: Schema.Literal("waiting", "accepted") }))
      .addError(HubForbidden)
      .addError(HubConflict)
      .addError(HubTooManyRequests)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "A host shows its one-time token and its public key, and waits for a person")
  )
  .add(
    HttpApiEndpoint.post("challenge", "/enrolments/challenge")
      .addSuccess(EnrolmentChallenge)
      .addError(HubTooManyRequests)
      .annotate(OpenApi.Summary, "Something fresh to sign with the host key")
  )
  .add(
    HttpApiEndpoint.post("claim", "/enrolments/claim")
      .setPayload(EnrolmentClaim)
      .addSuccess(EnrolmentAnswer)
      .addError(HubForbidden)
      .addError(HubTooManyRequests)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "The accepted host's Bearer, for proof of its key; an earlier one is revoked")
  )

/** What changes who may do what. Only `waiting` and `expected` are open to every role. */
export const AdministrationGroup = HttpApiGroup.make("administration")
  .add(
    HttpApiEndpoint.post("enrol", "/enrolment-tokens")
      .setPayload(Schema.Struct({
        count: Schema.Int.pipe(Schema.between(1, 100)),
        label: Schema.String.pipe(Schema.maxLength(128)),
        hours: Schema.Int.pipe(Schema.between(1, 24 * 30))
      }))
      .addSuccess(Schema.Array(EnrolmentToken))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "One-time tokens, shown this once (admin)")
  )
  .add(
    HttpApiEndpoint.get("waiting", "/waiting")
      .addSuccess(Schema.Array(WaitingHost))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Hosts that asked to be let in, the longest-waiting first")
  )
  .add(
    HttpApiEndpoint.get("expected", "/expected")
      .addSuccess(Schema.Array(ExpectedHost))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Hosts that were accepted and have not reported yet")
  )
  .add(
    HttpApiEndpoint.post("reject", "/waiting/:hostId/reject")
      .setPath(Schema.Struct({ hostId: HostId }))
      .setPayload(Schema.Struct({ publicKey: HostPublicKey }))
      .addSuccess(Schema.Void)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Remove a waiting key, and void the one-time token that it came with (admin)")
  )
  .add(
    HttpApiEndpoint.post("retire", "/hosts/:hostId/retire")
      .setPath(Schema.Struct({ hostId: HostId }))
      .setPayload(Schema.Struct({ retired: Schema.Boolean }))
      .addSuccess(Schema.Void)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Expect a host no more and revoke its token; or take that back (admin)")
  )
  .add(
    HttpApiEndpoint.post("accept", "/hosts/:hostId/accept")
      .setPath(Schema.Struct({ hostId: HostId }))
      .setPayload(Schema.Struct({ publicKey: HostPublicKey }))
      .addSuccess(Schema.Void)
      .addError(HubNotFound)
      .addError(HubConflict)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Pin this key for this host: from now on its reports must be signed by it (admin)")
  )
  .add(
    HttpApiEndpoint.post("reset", "/hosts/:hostId/reset")
      .setPath(Schema.Struct({ hostId: HostId }))
      .addSuccess(Schema.Void)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Forget a host's alarms and take its reports again (admin)")
  )
  .add(
    HttpApiEndpoint.get("tokens", "/tokens")
      .addSuccess(Schema.Array(TokenSummary))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "All tokens, without the tokens themselves (admin)")
  )
  .add(
    HttpApiEndpoint.post("revoke", "/tokens/revoke")
      .setPayload(Schema.Struct({ id: Schema.String.pipe(Schema.minLength(4), Schema.maxLength(64)) }))
      .addSuccess(TokenSummary)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Revoke the one live token whose id begins so (admin)")
  )
  .middleware(OperatorAuthorization)
