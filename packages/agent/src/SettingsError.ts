import { Schema } from "effect"

/** The configuration can't be used. Each problem says what, where and what to do; all of them are told at once. */
export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", {
  problems: Schema.NonEmptyArray(Schema.String)
}) {
  override get message(): string {
    return this.problems.join("\n")
  }
}
