import { statSync } from "node:fs"

// A file system's clock goes on in steps, of up to two seconds (FAT): what is written twice within one has one time.
const longestStep = 2_000

/**
 * A text that is another as soon as one of the files is another, was written to, or comes or goes; none of them is read.
 * Undefined where that can't be told: one can't be looked at, or has changed so shortly before `now`, in ms since the epoch, that
 * it could change once more within the same step of the file system's clock.
 *
 * It waits for the disk only where the kernel has forgotten the files, which are to be looked at regularly: a look takes a few
 * microseconds, a trip to the thread pool and back would take longer than that.
 */
export const fileStamps = (paths: ReadonlyArray<string>, now: number): string | undefined => {
  const stamps: Array<string> = []
  for (const path of paths) {
    try {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false })
      // Who changes a file can set its mtime to what they like, and its ctime not.
      if (found !== undefined && Number(found.ctimeMs) > now - longestStep) return undefined
      stamps.push(
        found === undefined
          ? "none"
          : `${found.dev} ${found.ino} ${found.mode} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`
      )
    } catch {
      return undefined
    }
  }
  return stamps.join("\n")
}
