import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { Effect, Layer, type Option, Predicate } from "effect"
import { mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"

const failed = (operation: "read" | "replace", path: string) => (cause: unknown): DurableFileError => {
  const code = Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : "unknown"
  const words = cause instanceof Error ? cause.message : String(cause)
  // Node's message begins with the code, which the error shows by itself.
  return new DurableFileError({ operation, path, code, detail: words.replace(`${code}: `, "") })
}

/** Makes what was written to a file, or which names a folder holds, outlive a power cut. */
const sync = async (path: string): Promise<void> => {
  const handle = await open(path, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const makeFolder = async (folder: string): Promise<void> => {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  // A new folder is a name in its parent, and lost with it.
  if (first !== undefined) await sync(dirname(first))
}

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
  await sync(folder)
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
