import { Context, type Effect, type Option, Schema } from "effect"

/** The code of a file that is there and is not believed, since everybody on the host may write to it. */
export const writableByOthers = "EWRITABLE"

const advice = (operation: string, code: string): string => {
  if (code === "ENOSPC") return "free some space on that file system"
  if (code === writableByOthers) return "look at what is in it, then take that right away: chmod o-w"
  return operation === "read"
    ? "put a file there that the user who runs the agent can read"
    : "make the folder writable for the user that runs the agent, or name another one (FELHOM_AGENT_STATE_DIR)"
}

/** A read or write of durable state that did not happen. */
export class DurableFileError extends Schema.TaggedError<DurableFileError>()("DurableFileError", {
  operation: Schema.Literal("read", "replace", "create", "append to", "sync", "rename", "remove", "look at"),
  path: Schema.String,
  /** The system's word, for example `EACCES`, `EROFS`, `ENOSPC`. */
  code: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot ${this.operation} ${this.path}: ${this.detail} (${this.code}); ${advice(this.operation, this.code)}`
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
