import { Context, type Effect, type Option, Schema } from "effect"

/** A unit file, or what the kernel says is mounted, that could not be read or written. */
export class UnitFileError extends Schema.TaggedError<UnitFileError>()("UnitFileError", {
  operation: Schema.Literal("read", "write", "remove"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot ${this.operation} ${this.path}: ${this.detail}`
  }
}

/** The host's own unit files, by name (`X.mount`), and what is mounted: all files that the root side touches by itself. */
export class UnitFiles extends Context.Tag("felhom/privileged/UnitFiles")<UnitFiles, {
  readonly read: (unit: string) => Effect.Effect<Option.Option<string>, UnitFileError>
  /** Whole and on the disk when it answers: written beside, synced, renamed, its folder synced. Where that fails, there is none of it. */
  readonly write: (unit: string, text: string) => Effect.Effect<void, UnitFileError>
  /** Fine when there is none. */
  readonly remove: (unit: string) => Effect.Effect<void, UnitFileError>
  /** `/proc/self/mountinfo` */
  readonly mountInfo: Effect.Effect<string, UnitFileError>
}>() {}
