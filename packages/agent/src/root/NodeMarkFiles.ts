import { MarkError, MarkFiles } from "@felhom/privileged/MarkFiles"
import { Effect, Layer, Option } from "effect"
import { constants } from "node:fs"
import { open } from "node:fs/promises"
import { dirname } from "node:path"

/** A mark is some eighty letters; more than this is none. */
const longest = 1024

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

/** Whoever made the disk may have put anything there: no link is followed, no pipe waited for, and no long file read. */
const readMark = async (path: string): Promise<Option.Option<string>> => {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
  try {
    const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const found = await handle.stat()
      if (!found.isFile()) throw new Error("it is no plain file: look at it, and move it away")
      if (found.size > longest) throw new Error("it is too long for a mark: look at it, and move it away")
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(longest), 0, longest, 0)
      return Option.some(buffer.toString("utf8", 0, bytesRead))
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (hasCode(error, "ENOENT")) return Option.none()
    throw error
  }
}

const createMark = async (path: string, text: string): Promise<void> => {
  const handle = await open(path, "wx", 0o644)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  const folder = await open(dirname(path), "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const attempt = <A>(path: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) => new MarkError({ path, detail: error instanceof Error ? error.message : String(error) })
  })

/** The marks of disks that are mounted on this host. */
export const layer: Layer.Layer<MarkFiles> = Layer.succeed(MarkFiles, {
  read: (path) => attempt(path, () => readMark(path)),
  create: (path, text) => attempt(path, () => createMark(path, text))
})
