import { describe, expect } from "@effect/vitest"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { Effect, Option } from "effect"
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { scopedWith } from "./ScopedWith.ts"
import { temporaryFolder } from "./TemporaryFolder.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

const it = scopedWith(NodeDurableFile.layer)

describe("a durable file", () => {
  it("is none before it was written, and then what was written last", () =>
    Effect.gen(function*() {
      const files = yield* DurableFile
      const path = join(yield* temporaryFolder, "state")
      expect(yield* files.read(path)).toEqual(Option.none())
      yield* files.replace(path, bytes("a longer first content"))
      yield* files.replace(path, bytes("second"))
      expect(Buffer.from(Option.getOrThrow(yield* files.read(path))).toString()).toBe("second")
    }))

  it("and the folders made for it are its owner's alone, and nothing else is left there", () =>
    Effect.gen(function*() {
      const files = yield* DurableFile
      const folder = join(yield* temporaryFolder, "a", "b")
      yield* files.replace(join(folder, "state"), bytes("x"))
      expect([mode(join(folder, "..")), mode(folder), mode(join(folder, "state"))]).toEqual(["700", "700", "600"])
      expect(readdirSync(folder)).toEqual(["state"])
    }))

  it("is not readable by others through a leftover that was", () =>
    Effect.gen(function*() {
      const files = yield* DurableFile
      const path = join(yield* temporaryFolder, "state")
      const leftover = `${path}.${process.pid}.tmp`
      writeFileSync(leftover, "half of something longer than the new content")
      chmodSync(leftover, 0o666)
      yield* files.replace(path, bytes("new"))
      expect(mode(path)).toBe("600")
      expect(readFileSync(path, "utf8")).toBe("new")
    }))

  it("keeps its old content when the new one can't be put in place, and leaves nothing beside it", () =>
    Effect.gen(function*() {
      const files = yield* DurableFile
      const folder = yield* temporaryFolder
      const path = join(folder, "state")
      // A folder can't be replaced by a file: the rename fails after the new content was written.
      mkdirSync(path)
      const error = yield* Effect.flip(files.replace(path, bytes("new")))
      expect(error).toMatchObject({ _tag: "DurableFileError", operation: "replace", path })
      expect(readdirSync(folder)).toEqual(["state"])
    }))

  it("in a folder that can't be made is an error that names it and says what to do", () =>
    Effect.gen(function*() {
      const files = yield* DurableFile
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "file"), "")
      const path = join(folder, "file", "sub", "state")
      const error = yield* Effect.flip(files.replace(path, bytes("x")))
      expect(error).toMatchObject({ operation: "replace", path, code: "ENOTDIR" })
      expect(error.message).toContain(join(folder, "file"))
      expect(error.message).toContain("FELHOM_AGENT_STATE_DIR")
      expect(yield* Effect.flip(files.read(path))).toMatchObject({ operation: "read", code: "ENOTDIR" })
    }))

  it("written by many at once ends whole, as one of them wrote it", () =>
    Effect.gen(function*() {
      const files = yield* DurableFile
      const path = join(yield* temporaryFolder, "state")
      const contents = Array.from({ length: 16 }, (_, index) => String(index).repeat(5000 + index))
      yield* Effect.forEach(contents, (text) => files.replace(path, bytes(text)), { concurrency: "unbounded" })
      expect(contents).toContain(readFileSync(path, "utf8"))
    }))
})
