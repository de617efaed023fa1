import type { Sha256Hex } from "@felhom/domain/Sha256"
import { Context, Effect } from "effect"

/** What a file of this host is, byte for byte. */
export interface ReadArchive {
  readonly sha256: Sha256Hex
  /** Bytes that were read. */
  readonly size: number
}

/** Reads archives where they lie as files of this host. A service: lower floors have no files, and a test owns them. */
export class ArchiveBytes extends Context.Tag("felhom/reconciler/ArchiveBytes")<ArchiveBytes, {
  /** Reads all of it, which takes as long as its disk needs; fails with why it can't be read. */
  readonly read: (path: string) => Effect.Effect<ReadArchive, string>
}>() {}

/** For a program that reads no files: every archive's bytes are unread. */
export const noArchiveBytes: typeof ArchiveBytes.Service = {
  read: (path) => Effect.fail(`${path}: this program reads no archives`)
}
