import { DurableFile, type DurableFileError, writableByOthers } from "@felhom/domain/port/DurableFile"
import { type Context, Effect, Layer, Option } from "effect"
import { type FileHandle, open, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { fileFailure as failed } from "./FileFailure.ts"
import { makeFolder, syncPath } from "./SyncedFolder.ts"

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

/** A new file; what stands in its way is mended only where something does, since each look takes a trip to the thread pool. */
const created = async (temporary: string): Promise<FileHandle> => {
  try {
    return await open(temporary, "wx", 0o600)
  } catch (error) {
    // One left over from a crash may have had another mode.
    if (hasCode(error, "EEXIST")) await rm(temporary)
    else if (hasCode(error, "ENOENT")) await makeFolder(dirname(temporary))
    else throw error
    return await open(temporary, "wx", 0o600)
  }
}

const writeBeside = async (temporary: string, content: Uint8Array): Promise<void> => {
  const handle = await created(temporary)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const replaceFile = async (path: string, content: Uint8Array): Promise<void> => {
  // By process, so that two of them never write into one file; a crash leaves at most one behind, which the next write with
  // the same number takes over.
  const temporary = `${path}.${process.pid}.tmp`
  try {
    await writeBeside(temporary, content)
    await rename(temporary, path)
  } catch (error) {
    // The first error is the one to tell; what can't be removed either is only a leftover.
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  await syncPath(dirname(path))
}

/** What anybody may write says nothing: least of all who may sign. */
const trusted = async (path: string): Promise<Uint8Array> => {
  const handle = await open(path, "r")
  try {
    if (((await handle.stat()).mode & 0o002) !== 0) {
      throw Object.assign(new Error("everybody on this machine can write to it"), { code: writableByOthers })
    }
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

/** Undefined when there is no such file, which is no failure: most of root's files are looked for each cycle and seldom there. */
const contentOf = async (path: string): Promise<Uint8Array | undefined> => {
  try {
    return await trusted(path)
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    throw error
  }
}

const readWhole = (path: string): Effect.Effect<Option.Option<Uint8Array>, DurableFileError> =>
  Effect.map(Effect.tryPromise({ try: () => contentOf(path), catch: failed("read", path) }), Option.fromNullable)

/**
 * Files on the local file system, readable by their owner only (0600), in folders that are made as needed (0700). Writes wait
 * for each other, and one that was begun is ended before an interrupt is heard. What everybody may write is not read.
 */
export const make = (): Context.Tag.Service<DurableFile> => {
  let last: Promise<void> = Promise.resolve()
  const inTurn = (write: () => Promise<void>): Promise<void> => {
    // Whoever asked for the one before hears of its failure.
    last = last.catch(() => undefined).then(write)
    return last
  }
  return {
    read: readWhole,
    replace: (path, content) =>
      Effect.uninterruptible(
        Effect.tryPromise({
          try: () => inTurn(() => replaceFile(path, content)),
          catch: failed("replace", path)
        })
      )
  }
}

export const layer: Layer.Layer<DurableFile> = Layer.sync(DurableFile, make)
