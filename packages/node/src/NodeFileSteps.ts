import type { DurableFileError } from "@felhom/domain/port/DurableFile"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { Effect, Layer } from "effect"
import { constants, fdatasync, write, writeSync } from "node:fs"
import { type FileHandle, open, readFile, rename, rm, statfs } from "node:fs/promises"
import { fileFailure } from "./FileFailure.ts"
import { makeFolder, syncPath } from "./SyncedFolder.ts"

const step = <A>(
  operation: DurableFileError["operation"],
  path: string,
  run: () => Promise<A>
): Effect.Effect<A, DurableFileError> => Effect.tryPromise({ try: run, catch: fileFailure(operation, path) })

// The file's number is asked for each time: that of a closed file may belong to another by then.

// A second write for the rest would no longer be one record in one write.
const cutShort = (written: number, bytes: Uint8Array): Error =>
  new Error(`only ${written} of ${bytes.length} bytes were taken`)

// Each write names its place, as two handles of one file know nothing of each other's.

// To the page cache, which takes a few microseconds; a trip to the thread pool and back would take longer than that.
const writeWhole = (
  handle: FileHandle,
  path: string,
  bytes: Uint8Array,
  position: number
): Effect.Effect<void, DurableFileError> =>
  Effect.suspend(() => {
    try {
      const written = writeSync(handle.fd, bytes, 0, bytes.length, position)
      if (written !== bytes.length) throw cutShort(written, bytes)
      return Effect.void
    } catch (error) {
      return Effect.fail(fileFailure("append to", path)(error))
    }
  })

/**
 * A file that grows has the file system write down where its new bytes are, beside the bytes themselves. So the write that goes
 * beyond what is there brings zeros up to the next multiple of this along, and those after it go into that room.
 */
const roomStep = 64 * 1024

/** One trip to the thread pool, where a write and an fdatasync would take two; the handle is one with O_DSYNC. */
const writeDurably = (
  handle: FileHandle,
  path: string,
  place: () => { readonly bytes: Uint8Array; readonly position: number }
): Effect.Effect<void, DurableFileError> =>
  Effect.async((resume) => {
    const { bytes, position } = place()
    const failed = (error: unknown) => resume(Effect.fail(fileFailure("append to", path)(error)))
    try {
      write(handle.fd, bytes, 0, bytes.length, position, (error, written) => {
        if (error !== null) failed(error)
        else if (written !== bytes.length) failed(cutShort(written, bytes))
        else resume(Effect.void)
      })
    } catch (error) {
      // Of a file that is closed, Node throws this at once.
      failed(error)
    }
  })

const syncData = (handle: FileHandle, path: string): Effect.Effect<void, DurableFileError> =>
  Effect.async((resume) => {
    fdatasync(
      handle.fd,
      (error) => resume(error === null ? Effect.void : Effect.fail(fileFailure("sync", path)(error)))
    )
  })

/** Files on the local file system. */
export const fileSteps: typeof FileSteps.Service = FileSteps.of({
  read: (path) =>
    step("read", path, () => readFile(path)).pipe(
      Effect.map((content): Uint8Array => content),
      Effect.asSome,
      Effect.catchIf((error) => error.code === "ENOENT", () => Effect.succeedNone)
    ),
  makeFolder: (folder) => step("create", folder, () => makeFolder(folder)),
  create: (path) =>
    Effect.acquireRelease(
      step("create", path, async () => {
        const handle = await open(path, "w", 0o600)
        try {
          // One left over from a crash may have had another mode.
          await handle.chmod(0o600)
          // A file that is open can't be told later that its writes are to be durable.
          return { handle, durable: await open(path, constants.O_WRONLY | constants.O_DSYNC) }
        } catch (error) {
          await handle.close()
          throw error
        }
      }),
      // All that counts was synced before; what a failing close says is too late to act on.
      ({ durable, handle }) =>
        Effect.ignoreLogged(step("create", path, () => Promise.all([handle.close(), durable.close()])))
    ).pipe(
      Effect.map(({ durable, handle }) => {
        let end = 0
        const next = (bytes: Uint8Array): number => {
          const at = end
          end += bytes.length
          return at
        }
        let room = 0
        const place = (bytes: Uint8Array) => {
          const position = next(bytes)
          if (end <= room) return { bytes, position }
          room = Math.ceil(end / roomStep) * roomStep
          const longer = new Uint8Array(room - position)
          longer.set(bytes)
          return { bytes: longer, position }
        }
        return {
          append: (bytes) => Effect.suspend(() => writeWhole(handle, path, bytes, next(bytes))),
          sync: syncData(handle, path),
          appendDurably: (bytes) => writeDurably(durable, path, () => place(bytes))
        }
      })
    ),
  rename: (from, to) => step("rename", from, () => rename(from, to)),
  remove: (path) => step("remove", path, () => rm(path, { force: true })),
  syncFolder: (folder) => step("sync", folder, () => syncPath(folder)),
  freeBytes: (folder) =>
    Effect.map(step("look at", folder, () => statfs(folder)), ({ bavail, bsize }) => bavail * bsize)
})

export const layer: Layer.Layer<FileSteps> = Layer.succeed(FileSteps, fileSteps)
