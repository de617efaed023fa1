import { Sha256Hex } from "@felhom/domain/Sha256"
import { Schema } from "effect"

const reasons = [
  "too-long",
  "encoding",
  "json",
  "schema",
  "other-host",
  "other-host-epoch",
  "other-epoch",
  "version-behind",
  "same-version",
  "version-jump",
  "expired",
  "issued-ahead",
  "empty",
  "rate",
  "store"
] as const

const next: { readonly [reason in (typeof reasons)[number]]: string } = {
  "too-long": "make it smaller; a desired state has 1 MiB at most",
  encoding: "the hub has to send it in base64",
  json: "make it anew with a tool of this host's version",
  schema: "update the agent, or make it anew with a tool of this host's version",
  "other-host": "find out why the hub sends it to this host",
  "other-host-epoch": "make it anew from the host's present report",
  "other-epoch":
    "if the hub's store was made anew or restored, sign desired.accept_epoch; if not, find out who answers as the hub",
  "version-behind": "desired state never goes back: give it a higher version",
  "same-version": "give another content another version; if the hub was not restored, look into that",
  "version-jump": "give it the next version",
  expired: "publish one that is still good",
  "issued-ahead": "set the clock right that is wrong, the host's or the hub's",
  empty: "if it is meant to wish for nothing, say so in it (allowEmpty)",
  rate: "it is looked at again in a minute",
  store: "mend the host's state folder; until then the one before stands"
}

/** A desired state that is not taken, and why. The last good one stands. */
export class DesiredRefused extends Schema.TaggedError<DesiredRefused>()("DesiredRefused", {
  reason: Schema.Literal(...reasons),
  detail: Schema.String,
  /** SHA-256 of its bytes; null for what is no base64. */
  sha256: Schema.NullOr(Sha256Hex)
}) {
  override get message(): string {
    return `desired state refused (${this.reason}): ${this.detail}; ${next[this.reason]}`
  }
}
