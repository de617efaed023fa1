import { Schema } from "effect"

/** The hub's own store did not do what it was asked; nothing of it was acknowledged to anybody. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  reason: Schema.Literal("open", "migrate", "read", "write", "corrupt"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    switch (this.reason) {
      case "open":
        return `cannot open the store ${this.path}: ${this.detail}; name a folder that the hub's user can write (--data, FELHOM_HUB_DATA)`
      case "migrate":
        return `cannot bring the store ${this.path} up to this version: ${this.detail}; it was left as it was`
      case "corrupt":
        return `a row of the store ${this.path} does not read: ${this.detail}; was it written by a newer hub?`
      default:
        return `the store ${this.path} cannot be ${
          this.reason === "read" ? "read" : "written"
        }: ${this.detail}; is its disk full or gone?`
    }
  }
}

/** Another program wrote to the store since it was read, and nothing was written: it is for whoever read to read again. */
export class StoreChanged extends Schema.TaggedError<StoreChanged>()("StoreChanged", {}) {
  override get message(): string {
    return "another program wrote to the store meanwhile"
  }
}
