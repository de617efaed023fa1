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

/** Bytes, and where in the file they go. */
interface Placed {
  readonly bytes: Uint8Array
  readonly position: number
}

// The file's number is asked for each time: that of a closed file may belong to another by then.

// A second write for the rest would no longer be one record in one write.
const cutShort = (written: number, bytes: Uint8Array): Error =>
  new Error(`only ${written} of ${bytes.length} bytes were taken`)

// Each write names its place, as two handles of one file know nothing of each other's.

const writeAt = (handle: FileHandle, { bytes, position }: Placed): void => {
  const written = writeSync(handle.fd, bytes, 0, bytes.length, position)
  if (written !== bytes.length) throw cutShort(written, bytes)
}

// To the page cache, which takes a few microseconds; a trip to the thread pool and back would take longer than that.
const writeWhole = (handle: FileHandle, path: string, placed: () => Placed): Effect.Effect<void, DurableFileError> =>
  Effect.try({ try: () => writeAt(handle, placed()), catch: fileFailure("append to", path) })

/**
 * A file that grows has the file system write down where its new bytes are, beside the bytes themselves. So the write that goes
 * beyond what is there brings zeros up to the next multiple of this along, and those after it go into that room.
 */
const roomStep = 64 * 1024

/** Durable writes to one file: each is one write to a handle with O_DSYNC, where a write and an fdatasync would be two. */
const durableWrites = (handle: FileHandle, path: string, place: (bytes: Uint8Array) => Placed, quickMillis: number) => {
  let lastMillis = Number.POSITIVE_INFINITY
  const failure = fileFailure("append to", path)
  const onTheSpot = (placed: Placed): Effect.Effect<void, DurableFileError> =>
    Effect.try({
      try: () => {
        const began = performance.now()
        writeAt(handle, placed)
        lastMillis = performance.now() - began
      },
      catch: failure
    })
  const inThePool = ({ bytes, position }: Placed): Effect.Effect<void, DurableFileError> =>
    Effect.async((resume) => {
      const began = performance.now()
      try {
        write(handle.fd, bytes, 0, bytes.length, position, (error, written) => {
          lastMillis = performance.now() - began
          if (error !== null) resume(Effect.fail(failure(error)))
          else if (written !== bytes.length) resume(Effect.fail(failure(cutShort(written, bytes))))
          else resume(Effect.void)
        })
      } catch (error) {
        // Of a file that is closed, Node throws this at once.
        resume(Effect.fail(failure(error)))
      }
    })
  return (bytes: Uint8Array): Effect.Effect<void, DurableFileError> =>
    Effect.suspend(() => lastMillis <= quickMillis ? onTheSpot(place(bytes)) : inThePool(place(bytes)))
}

const syncData = (handle: FileHandle, path: string): Effect.Effect<void, DurableFileError> =>
  Effect.async((resume) => {
    fdatasync(
      handle.fd,
      (error) => resume(error === null ? Effect.void : Effect.fail(fileFailure("sync", path)(error)))
    )
  })

/**
 * Files on the local file system. A file whose last durable write took no longer than `quickMillis` is written to on the spot: on a
 * quick disk the trip to the thread pool and back would take a third as long again, and the program stands still no longer than it
 * does over its own work. One write that takes longer, and the next goes to the pool, so that a slow disk holds up nobody but those
 * who wait for it.
 */
export const stepsOn = (quickMillis: number): typeof FileSteps.Service =>
  FileSteps.of({
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
          const place = (bytes: Uint8Array): Placed => {
            const position = next(bytes)
            if (end <= room) return { bytes, position }
            room = Math.ceil(end / roomStep) * roomStep
            const longer = new Uint8Array(room - position)
            longer.set(bytes)
            return { bytes: longer, position }
          }
          return {
            append: (bytes) => writeWhole(handle, path, () => ({ bytes, position: next(bytes) })),
            sync: syncData(handle, path),
            appendDurably: durableWrites(durable, path, place, quickMillis)
          }
        })
      ),
    rename: (from, to) => step("rename", from, () => rename(from, to)),
    remove: (path) => step("remove", path, () => rm(path, { force: true })),
    syncFolder: (folder) => step("sync", folder, () => syncPath(folder)),
    freeBytes: (folder) =>
      Effect.map(step("look at", folder, () => statfs(folder)), ({ bavail, bsize }) => bavail * bsize)
  })

export const fileSteps: typeof FileSteps.Service = stepsOn(1)

export const layer: Layer.Layer<FileSteps> = Layer.succeed(FileSteps, fileSteps)
