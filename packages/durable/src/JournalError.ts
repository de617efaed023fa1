import { Schema } from "effect"

/** The journal holds no record that this agent made the object, so it has no right to destroy it. */
export class NotOurs extends Schema.TaggedError<NotOurs>()("NotOurs", {
  object: Schema.String,
  /** Its removal was begun before a restart, and may have been done: what has the name now may be somebody else's. */
  removalBegun: Schema.optionalWith(Schema.Boolean, { default: () => false })
}) {
  override get message(): string {
    return this.removalBegun
      ? `${this.object} was being removed when the agent stopped, so what is there now may not be ours; look at it, and remove it by hand`
      : `no record that this agent made ${this.object}; it is left alone`
  }
}

/** The step can't follow what the journal holds. Nothing was written. */
export class OpOutOfOrder extends Schema.TaggedError<OpOutOfOrder>()("OpOutOfOrder", { detail: Schema.String }) {
  override get message(): string {
    return `${this.detail}; nothing is done for it`
  }
}
