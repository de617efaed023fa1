import { expect, layer } from "@effect/vitest"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { Effect, Option } from "effect"
import { mkdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "./TemporaryFolder.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

layer(NodeFileSteps.layer, { excludeTestServices: true })("the steps of a durable file", (it) => {
  it.scoped("write at the end of a file that goes on under its new name", () =>
    Effect.gen(function*() {
      const files = yield* FileSteps
      const folder = join(yield* temporaryFolder, "a", "b")
      yield* files.makeFolder(folder)
      const file = yield* files.create(join(folder, "log.new"))
      yield* file.append(bytes("one "))
      yield* file.sync
      yield* files.rename(join(folder, "log.new"), join(folder, "log"))
      yield* files.syncFolder(folder)
      yield* file.append(bytes("two"))
      expect(readFileSync(join(folder, "log"), "utf8")).toBe("one two")
      expect((statSync(join(folder, "log")).mode & 0o777).toString(8)).toBe("600")
      expect((statSync(folder).mode & 0o777).toString(8)).toBe("700")
      expect(Option.map(yield* files.read(join(folder, "log")), (content) => content.length)).toEqual(Option.some(7))
      yield* files.remove(join(folder, "log"))
      yield* files.remove(join(folder, "log"))
      expect(yield* files.read(join(folder, "log"))).toEqual(Option.none())
      expect(yield* files.freeBytes(folder)).toBeGreaterThan(0)
    }))

  it.scoped("say which of them failed, on which path, with the system's word", () =>
    Effect.gen(function*() {
      const files = yield* FileSteps
      const folder = yield* temporaryFolder
      mkdirSync(join(folder, "sub"))
      const absent = join(folder, "absent", "file")
      expect(yield* Effect.flip(files.create(absent))).toMatchObject({
        operation: "create",
        code: "ENOENT",
        path: absent
      })
      expect(yield* Effect.flip(files.create(join(folder, "sub")))).toMatchObject({ code: "EISDIR" })
      expect(yield* Effect.flip(files.rename(absent, absent))).toMatchObject({ operation: "rename", code: "ENOENT" })
      expect(yield* Effect.flip(files.syncFolder(absent))).toMatchObject({ operation: "sync", code: "ENOENT" })
      expect(yield* Effect.flip(files.freeBytes(absent))).toMatchObject({ operation: "look at", code: "ENOENT" })
      const closed = yield* Effect.scoped(files.create(join(folder, "closed")))
      expect(yield* Effect.flip(closed.append(bytes("x")))).toMatchObject({ operation: "append to" })
    }))
})
