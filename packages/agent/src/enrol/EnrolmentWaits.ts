import { Schema } from "effect"

/** Nobody has accepted this host yet. */
export class EnrolmentWaits extends Schema.TaggedError<EnrolmentWaits>()("EnrolmentWaits", {
  code: Schema.String
}) {
  override get message(): string {
    return `this host waits to be accepted: felhom accept ${this.code}, then run enrol again with the same token`
  }
}
