import { describe, expect } from "@effect/vitest"
import { FileSteps, type GrowingFile } from "@felhom/domain/port/FileSteps"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { Effect, Option } from "effect"
import { constants, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs"
import { join } from "node:path"
import { scopedWith } from "./ScopedWith.ts"
import { temporaryFolder } from "./TemporaryFolder.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** How long the file is, and what stands in front of the zeros at its end. */
const content = (path: string) => {
  const whole = readFileSync(path, "latin1")
  return { length: whole.length, text: whole.replace(/\0+$/, "") }
}

const target = (fd: string): string | undefined => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // The one by which the folder itself was read is closed again.
    return undefined
  }
}

/** The flags with which this process has the file open, once for each time that it has (proc_pid_fdinfo(5)). */
const openFlags = (path: string): ReadonlyArray<number> =>
  readdirSync("/proc/self/fd").filter((fd) => target(fd) === path).map((fd) =>
    Number.parseInt(/^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "", 8)
  )

/** Disks that any time is quick enough for, and none. */
const quick = NodeFileSteps.stepsOn(Number.MAX_VALUE)
const slow = NodeFileSteps.stepsOn(-1)
const disks = [quick, slow]

const it = scopedWith(NodeFileSteps.layer)

describe("the steps of a durable file", () => {
  it("write at the end of a file that goes on under its new name", () =>
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

  it("write durably where the file ends, with a handle whose every write is synced by the kernel", () =>
    Effect.forEach(disks, (files) =>
      Effect.gen(function*() {
        const path = join(yield* temporaryFolder, "log")
        yield* Effect.scoped(Effect.gen(function*() {
          const file = yield* files.create(path)
          yield* file.append(bytes("one "))
          yield* file.sync
          yield* file.appendDurably(bytes("two "))
          yield* file.append(bytes("three "))
          yield* file.appendDurably(bytes("four"))
          expect(content(path)).toEqual({ length: 65_536, text: "one two three four" })
          const synced = openFlags(path).map((flags) => (flags & constants.O_DSYNC) !== 0)
          expect(synced.toSorted()).toEqual([false, true])
        }))
        expect(openFlags(path)).toEqual([])
      })))

  it("make room by the durable write that goes beyond what there is, and write into it then", () =>
    Effect.forEach(disks, (files) =>
      Effect.gen(function*() {
        const path = join(yield* temporaryFolder, "log")
        const file = yield* files.create(path)
        yield* file.append(bytes("a".repeat(10)))
        expect(content(path).length).toBe(10)
        const room = 65_536
        for (
          const [letter, count, length] of [
            ["b", 1, room],
            ["c", room - 11, room],
            ["d", 1, 2 * room],
            ["e", 3 * room - 1, 4 * room]
          ] as const
        ) {
          yield* file.appendDurably(bytes(letter.repeat(count)))
          const now = content(path)
          expect(now.length).toBe(length)
          expect(now.text.endsWith(letter)).toBe(true)
        }
        const runs = content(path).text.match(/(.)\1*/gs)?.map((run) => `${run.charAt(0)}${run.length}`)
        expect(runs).toEqual(["a10", "b1", `c${room - 11}`, "d1", `e${3 * room - 1}`])
      })))

  it("stand still for a durable write only on a disk that was quick the time before", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryFolder, "log")
      const standsStill = (file: GrowingFile) =>
        Effect.gen(function*() {
          let others = false
          queueMicrotask(() => {
            others = true
          })
          yield* file.appendDurably(bytes("x"))
          return !others
        })
      const twice = (files: typeof FileSteps.Service) =>
        Effect.scoped(Effect.flatMap(files.create(path), (file) => Effect.all([standsStill(file), standsStill(file)])))
      expect(yield* twice(quick)).toEqual([false, true])
      expect(yield* twice(slow)).toEqual([false, false])
    }))

  it("say of a durable write on the spot, too, that it failed", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryFolder, "log")
      const closed = yield* Effect.scoped(
        Effect.tap(quick.create(path), (file) => file.appendDurably(bytes("x")))
      )
      expect(yield* Effect.flip(closed.appendDurably(bytes("x")))).toMatchObject({ operation: "append to", path })
    }))

  it("say which of them failed, on which path, with the system's word", () =>
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
      expect(yield* Effect.flip(closed.appendDurably(bytes("x")))).toMatchObject({ operation: "append to" })
    }))
})
