import { Context, type Effect, type Option, type Scope } from "effect"
import type { DurableFileError } from "./DurableFile.ts"

/** A new file that is only ever written at its end, one thing after the other, and no further once something of it failed. */
export interface GrowingFile {
  /** One write at the end of the file. It may be lost, torn or zeroed by a power cut until `sync` has answered. */
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, DurableFileError>
  /** Makes what was appended outlive a power cut (fdatasync); the file's name is the folder's matter. */
  readonly sync: Effect.Effect<void, DurableFileError>
  /**
   * One write at the end of the file that outlives a power cut once it has answered (O_DSYNC): both of the above in one. What was
   * appended before and not synced is as open as it was. Of one that failed, or did not answer yet, anything may be there.
   * Zeros may stand behind it from then on: room in which what comes next is written, as a file that grows takes longer to sync.
   */
  readonly appendDurably: (bytes: Uint8Array) => Effect.Effect<void, DurableFileError>
}

/**
 * The single steps that a crash-safe log is made of, each one system call or as good as one, so that a test can stop, fail or
 * cut the power between any two of them. Whoever only wants a whole file replaced takes `DurableFile`.
 */
export class FileSteps extends Context.Tag("felhom/domain/FileSteps")<FileSteps, {
  /** The whole content, or none when there is no such file. */
  readonly read: (path: string) => Effect.Effect<Option.Option<Uint8Array>, DurableFileError>
  /** Makes the folder and those above it, for their owner only (0700), and syncs the names of those that were made. */
  readonly makeFolder: (folder: string) => Effect.Effect<void, DurableFileError>
  /** A new, empty file in place of any that was there (0600); closed with the scope, under whatever name it then has. */
  readonly create: (path: string) => Effect.Effect<GrowingFile, DurableFileError, Scope.Scope>
  /** Puts the file in the other's place. Which of the two a power cut leaves there is open until `syncFolder`. */
  readonly rename: (from: string, to: string) => Effect.Effect<void, DurableFileError>
  /** Removes the file; nothing happens when there is none. */
  readonly remove: (path: string) => Effect.Effect<void, DurableFileError>
  /** Makes the names in the folder outlive a power cut. */
  readonly syncFolder: (folder: string) => Effect.Effect<void, DurableFileError>
  /** Bytes that this user may still write to the file system that the folder is on. */
  readonly freeBytes: (folder: string) => Effect.Effect<number, DurableFileError>
}>() {}
