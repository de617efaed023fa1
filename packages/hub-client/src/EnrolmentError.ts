import { displayTextWithin } from "@felhom/domain/DisplayText"
import { Schema } from "effect"

const Reason = Schema.Literal("unreachable", "refused-certificate", "refused", "busy", "malformed")

const next: { readonly [reason in typeof Reason.Type]: string } = {
  unreachable: "is the hub running, and does its address (FELHOM_AGENT_HUB_URL) lead there from this host?",
  "refused-certificate": "compare the fingerprint with the one that the hub printed at its start",
  refused: "nothing changed on this host",
  busy: "try again in a while",
  malformed: "something else, or an older hub, answers at the hub's address; check FELHOM_AGENT_HUB_URL"
}

/**
 * An enrolment did not go on. `refused`: the hub said why (a spent, expired or revoked token, another key pinned). `busy`: it
 * could not now. `refused-certificate`: the peer is not the pinned hub, and no byte was sent.
 */
export class EnrolmentError extends Schema.TaggedError<EnrolmentError>()("EnrolmentError", {
  reason: Reason,
  /** The hub's origin, `https://host:port`. */
  hub: Schema.String,
  detail: Schema.String,
  /** How long the hub asked to be left alone, in seconds. */
  retryAfterSeconds: Schema.optionalWith(Schema.Int, { exact: true })
}) {
  override get message(): string {
    return `hub ${this.hub}: ${displayTextWithin(this.detail, 400)}; ${next[this.reason]}`
  }
}
