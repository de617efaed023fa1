import { Sha256Hex } from "@felhom/domain/Sha256"
import type { ArchiveBytes, ReadArchive } from "@felhom/reconciler/golden/ArchiveBytes"
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { open } from "node:fs/promises"

const isHash = Schema.decodeUnknownSync(Sha256Hex)

// An archive has gigabytes: the daemon goes on between the pieces, and holds one of them at a time.
const piece = 1024 * 1024

const hashed = async (path: string, signal: AbortSignal): Promise<ReadArchive> => {
  const handle = await open(path, "r")
  try {
    if (!(await handle.stat()).isFile()) throw new Error("it is no file")
    const hash = createHash("sha256")
    const buffer = Buffer.allocUnsafe(piece)
    let size = 0
    while (true) {
      signal.throwIfAborted()
      const { bytesRead } = await handle.read(buffer, 0, piece, size)
      if (bytesRead === 0) return { sha256: isHash(hash.digest("hex")), size }
      hash.update(buffer.subarray(0, bytesRead))
      size += bytesRead
    }
  } finally {
    await handle.close()
  }
}

const wordsOf = (path: string, error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  if (code === "ENOENT") return `${path} is not there`
  if (code === "EACCES" || code === "EPERM") return `the agent's user may not read ${path}`
  return `${path}: ${error instanceof Error ? error.message : String(error)}`
}

/** Reads files of this host; it may read what its user may. */
export const nodeArchiveBytes: typeof ArchiveBytes.Service = {
  read: (path) =>
    Effect.tryPromise({
      try: (signal) => hashed(path, signal),
      catch: (error) => wordsOf(path, error)
    })
}
