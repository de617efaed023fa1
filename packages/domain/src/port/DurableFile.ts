import { Context, type Effect, type Option, Schema } from "effect"

/** A read or write of durable state that did not happen. */
export class DurableFileError extends Schema.TaggedError<DurableFileError>()("DurableFileError", {
  operation: Schema.Literal("read", "replace", "create", "append to", "sync", "rename", "remove", "look at"),
  path: Schema.String,
  /** The system's word, for example `EACCES`, `EROFS`, `ENOSPC`. */
  code: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    const next = this.code === "ENOSPC"
      ? "free some space on that file system"
      : "make the folder writable for the user that runs the agent, or name another one (FELHOM_AGENT_STATE_DIR)"
    return `cannot ${this.operation} ${this.path}: ${this.detail} (${this.code}); ${next}`
  }
}

/**
 * Files whose answers can be trusted after a power cut.
 *
 * `replace` writes a new file beside the old one, syncs it, renames it over the old one and syncs the folder, and only then
 * answers; after a crash at any point the old or the new content is there, whole. Files are readable by their owner only.
 */
export class DurableFile extends Context.Tag("felhom/domain/DurableFile")<DurableFile, {
  /** The whole content, or none when there is no such file. */
  readonly read: (path: string) => Effect.Effect<Option.Option<Uint8Array>, DurableFileError>
  readonly replace: (path: string, content: Uint8Array) => Effect.Effect<void, DurableFileError>
}>() {}
