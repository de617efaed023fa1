import { describe, it } from "@effect/vitest"
import * as NodeMarkFiles from "@felhom/agent/root/NodeMarkFiles"
import { markFileName, MarkFiles, markOf } from "@felhom/privileged/MarkFiles"
import { DiskMark, type MarkRule } from "@felhom/privileged/Mount"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const disk = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-mark-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const mark = DiskMark.make("0123456789abcdef".repeat(2))
const other = DiskMark.make("f".repeat(32))

const ask = (at: string, rule: MarkRule["rule"], value = mark) =>
  Effect.provide(markOf(at, { rule, mark: value }), NodeMarkFiles.layer)
const refusal = (at: string, rule: MarkRule["rule"], value = mark) =>
  Effect.map(Effect.flip(ask(at, rule, value)), ({ message }) => message)

describe("the mark on a disk", () => {
  it.scoped("is written once, where there is none, and is then the only one that counts", () =>
    Effect.gen(function*() {
      const at = yield* disk
      expect(yield* refusal(at, "same")).toContain("the right UUID and not our mark")
      expect(yield* ask(at, "fresh")).toBe(mark)
      expect(readFileSync(join(at, markFileName), "utf8")).toBe(`{"typ":"felhom/disk/v1","mark":"${mark}"}\n`)
      expect(statSync(join(at, markFileName)).mode & 0o777).toBe(0o644)
      expect(yield* ask(at, "same")).toBe(mark)
      expect(yield* ask(at, "fresh")).toBe(mark)
      expect(yield* refusal(at, "same", other)).toContain("another mark than the one that this host knows")
      expect(yield* refusal(at, "fresh", other)).toContain("another mark")
      expect(yield* ask(at, "any", other)).toBe(mark)
    }))

  it.scoped("is taken from nothing but a plain, short file with exactly that in it", () =>
    Effect.gen(function*() {
      const at = yield* disk
      const path = join(at, markFileName)
      const good = `{"typ":"felhom/disk/v1","mark":"${mark}"}`
      const elsewhere = join(at, "elsewhere")
      writeFileSync(elsewhere, good)
      const hostile: ReadonlyArray<readonly [what: string, make: () => void]> = [
        ["a link", () => symlinkSync(elsewhere, path)],
        ["a folder", () => mkdirSync(path)],
        ["a pipe", () => void execFileSync("/usr/bin/mkfifo", [path])],
        ["nothing", () => writeFileSync(path, "")],
        ["a key too many", () => writeFileSync(path, good.replace("}", ",\"more\":1}"))],
        ["another type", () => writeFileSync(path, good.replace("v1", "v2"))],
        ["a mark that is none", () => writeFileSync(path, good.replace(mark, "../../etc/passwd"))],
        ["bytes that are no text", () => writeFileSync(path, Buffer.from([0xff, 0xfe, 0x00]))],
        ["something long", () => writeFileSync(path, `${good}${" ".repeat(5000)}x`)]
      ]
      for (const [what, make] of hostile) {
        rmSync(path, { recursive: true, force: true })
        make()
        for (const rule of ["same", "fresh", "any"] as const) {
          expect(yield* refusal(at, rule), what).toContain(path)
        }
      }
    }))

  it.scoped("that can't be written says so, and where", () =>
    Effect.gen(function*() {
      const files = yield* Effect.provide(MarkFiles, NodeMarkFiles.layer)
      const at = yield* disk
      expect((yield* Effect.flip(files.create(join(at, "gone", markFileName), "x"))).message).toContain("ENOENT")
    }))
})
