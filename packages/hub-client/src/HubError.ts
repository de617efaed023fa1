import { displayTextWithin } from "@felhom/domain/DisplayText"
import { PinMismatch } from "@felhom/domain/PeerPin"
import { Schema } from "effect"

/** What kept an exchange from happening. */
export const HubReason = Schema.Literal(
  "unreachable",
  "refused-certificate",
  "unauthorized",
  "forbidden",
  /** The hub says that our report is not one. */
  "rejected",
  "too-large",
  "unavailable",
  /** The answer is not an envelope. */
  "malformed",
  /** The envelope is meant for another host, or for an earlier epoch of this one. */
  "wrong-host"
)
export type HubReason = typeof HubReason.Type

const advice: { readonly [reason in HubReason]: string } = {
  unreachable: "the hub does not answer; the events wait for it",
  "refused-certificate": "",
  unauthorized:
    "the hub does not know this token: make a new one there (hub token create --role host) and give it as FELHOM_AGENT_HUB_TOKEN",
  forbidden: "the hub does not take this host's reports with this token: each token belongs to one host",
  rejected: "the hub can't read this agent's reports; is one of the two much older than the other?",
  "too-large": "the report is larger than the hub takes",
  unavailable: "the hub can't store reports now; the events wait for it",
  malformed: "what answers is not a hub, or not one of this version: check FELHOM_AGENT_HUB_URL",
  "wrong-host": "the answer was made for another host; nothing of it was taken"
}

/** An exchange with the hub that did not happen. `detail` are the hub's or the network's own words; it never holds the token. */
export class HubError extends Schema.TaggedError<HubError>()("HubError", {
  reason: HubReason,
  /** `host:port` of the hub. */
  hub: Schema.String,
  detail: Schema.String,
  /** What the peer showed, for `refused-certificate`. */
  cause: Schema.optional(PinMismatch)
}) {
  override get message(): string {
    if (this.cause !== undefined) return `hub ${this.hub}: ${this.cause.message}`
    const words = displayTextWithin(this.detail.trim(), 400)
    return `hub ${this.hub}: ${advice[this.reason]}${words === "" ? "" : ` (${words})`}`
  }
}
