import { displayTextWithin } from "@felhom/domain/DisplayText"
import { PinMismatch } from "@felhom/domain/PeerPin"
import { Schema } from "effect"

/** Why an exchange with the hub did not happen; see `HubError`. */
export const HubErrorReason = Schema.Literal(
  "unreachable",
  "refused-certificate",
  "unauthorized",
  "forbidden",
  "rejected",
  "too-large",
  "unavailable",
  "malformed",
  "wrong-host"
)
export type HubErrorReason = typeof HubErrorReason.Type

const next: { readonly [reason in HubErrorReason]: string } = {
  unreachable: "is the hub running, and does its address (FELHOM_AGENT_HUB_URL) lead there from this host?",
  "refused-certificate": "compare the fingerprint with the one that the hub printed at its start",
  unauthorized: "make a new host token on the hub (token create --role host) and give it to this host",
  forbidden: "each host needs a token and a key of its own; felhom hosts shows what the hub holds against this one",
  rejected: "the hub and this agent differ in what a report is: bring both to the same version",
  "too-large":
    "the report outgrew the hub's limit; is something on this host making guests, disks or events without end?",
  unavailable: "nothing was acknowledged; the report is sent again, and the hub's own log says more",
  malformed: "something else answers at the hub's address; check FELHOM_AGENT_HUB_URL",
  "wrong-host": "the answer is for somebody else and was thrown away; find out who answers at the hub's address"
}

/**
 * An exchange with the hub failed; nothing of the report counts as acknowledged.
 *
 * `unreachable`: no answer came, or not in time. `refused-certificate`: the peer is not the pinned hub, and no byte was sent;
 * `mismatch` says what it showed. `unauthorized` (401), `forbidden` (403), `rejected` (400), `too-large` (413) and `unavailable`
 * (any other failure status) are the hub's words. `malformed`: the answer is no envelope. `wrong-host`: it is one for another
 * host or host epoch.
 */
export class HubError extends Schema.TaggedError<HubError>()("HubError", {
  reason: HubErrorReason,
  /** The hub's origin, `https://host:port`. */
  hub: Schema.String,
  detail: Schema.String,
  mismatch: Schema.NullOr(PinMismatch),
  /** How long the hub asked to be left alone (429, 503), in seconds. */
  retryAfterSeconds: Schema.optionalWith(Schema.Int, { exact: true })
}) {
  override get message(): string {
    // The words of whoever answered, hub or not.
    return `hub ${this.hub}: ${displayTextWithin(this.detail, 400)}; ${next[this.reason]}`
  }
}
