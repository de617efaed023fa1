import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import { Effect, Layer, type Option } from "effect"
import { open, readFile, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { fileFailure as failed } from "./FileFailure.ts"
import { makeFolder, syncPath } from "./SyncedFolder.ts"

const writeBeside = async (temporary: string, content: Uint8Array): Promise<void> => {
  const handle = await open(temporary, "w", 0o600)
  try {
    // One left over from a crash may have had another mode.
    await handle.chmod(0o600)
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const replaceFile = async (path: string, content: Uint8Array): Promise<void> => {
  const folder = dirname(path)
  // By process, so that two of them never write into one file; a crash leaves at most one behind, which the next write with
  // the same number takes over.
  const temporary = `${path}.${process.pid}.tmp`
  await makeFolder(folder)
  try {
    await writeBeside(temporary, content)
    await rename(temporary, path)
  } catch (error) {
    // The first error is the one to tell; what can't be removed either is only a leftover.
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  await syncPath(folder)
}

const readWhole = (path: string): Effect.Effect<Option.Option<Uint8Array>, DurableFileError> =>
  Effect.tryPromise({ try: () => readFile(path), catch: failed("read", path) }).pipe(
    Effect.map((content): Uint8Array => content),
    Effect.asSome,
    Effect.catchIf((error) => error.code === "ENOENT", () => Effect.succeedNone)
  )

/**
 * Files on the local file system, readable by their owner only (0600), in folders that are made as needed (0700). Writes wait
 * for each other, and one that was begun is ended before an interrupt is heard.
 */
export const layer: Layer.Layer<DurableFile> = Layer.effect(
  DurableFile,
  Effect.map(Effect.makeSemaphore(1), (turn) => ({
    read: readWhole,
    replace: (path, content) =>
      turn.withPermits(1)(
        Effect.uninterruptible(
          Effect.tryPromise({ try: () => replaceFile(path, content), catch: failed("replace", path) })
        )
      )
  }))
)
