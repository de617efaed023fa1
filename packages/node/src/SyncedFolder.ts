import { mkdir, open } from "node:fs/promises"
import { dirname } from "node:path"

/** Makes what was written to a file, or which names a folder holds, outlive a power cut. */
export const syncPath = async (path: string): Promise<void> => {
  const handle = await open(path, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a folder and those above it, for their owner only. */
export const makeFolder = async (folder: string): Promise<void> => {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  // A new folder is a name in its parent, and lost with it.
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncPath(dirname(made))
}
