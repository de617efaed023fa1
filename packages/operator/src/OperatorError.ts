import { Schema } from "effect"

/**
 * What was asked can't be done. `usage` means that the command line, the environment or a file named there is
 * wrong; `distrust` that what the hub says is not what the host said.
 */
export class OperatorError extends Schema.TaggedError<OperatorError>()("OperatorError", {
  reason: Schema.Literal("usage", "hub", "no-host", "attention", "distrust"),
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}
