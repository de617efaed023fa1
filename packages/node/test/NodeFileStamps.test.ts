import { describe, it } from "@effect/vitest"
import { fileStamps } from "@felhom/node/NodeFileStamps"
import { Effect } from "effect"
import { mkdtempSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-stamps-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Long after whatever a test writes. */
const later = Date.now() + 3_600_000

describe("stamps of files", () => {
  it.scoped("stay the same while no file changes, and are others once one comes or goes", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const files = [join(directory, "one"), join(directory, "other")]
      const none = fileStamps(files, later)
      expect(none).toBeDefined()
      expect(fileStamps(files, later)).toBe(none)
      writeFileSync(join(directory, "other"), "x")
      const come = fileStamps(files, later)
      expect(come).toBeDefined()
      expect(come).not.toBe(none)
      expect(fileStamps(files, later)).toBe(come)
      rmSync(join(directory, "other"))
      expect(fileStamps(files, later)).toBe(none)
    }))

  it.scoped("are others after a write of the same length whose time was set back, and after a move over the file", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "file")
      writeFileSync(path, "first")
      const long = new Date(0)
      utimesSync(path, long, long)
      const first = fileStamps([path], later)
      // Until the file system's clock has gone on by a step.
      const before = statSync(path, { bigint: true }).ctimeNs
      do {
        writeFileSync(path, "other")
        utimesSync(path, long, long)
      } while (statSync(path, { bigint: true }).ctimeNs === before)
      const second = fileStamps([path], later)
      expect(second).not.toBe(first)
      writeFileSync(`${path}.new`, "other")
      utimesSync(`${path}.new`, long, long)
      renameSync(`${path}.new`, path)
      expect(fileStamps([path], later)).not.toBe(second)
    }))

  it.scoped("are not told of a file that could still change without showing it, nor of one that can't be looked at", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const path = join(directory, "file")
      writeFileSync(path, "x")
      const { ctimeMs } = statSync(path)
      expect(fileStamps([path], ctimeMs + 1_900)).toBeUndefined()
      expect(fileStamps([path], ctimeMs + 2_100)).toBeDefined()
      // A clock that stands behind the file can't tell how old that is.
      expect(fileStamps([path], ctimeMs - 60_000)).toBeUndefined()
      symlinkSync(join(directory, "loop"), join(directory, "loop"))
      expect(fileStamps([path, join(directory, "loop")], later)).toBeUndefined()
    }))
})
