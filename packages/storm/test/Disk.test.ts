import { describe, expect, it } from "@effect/vitest"
import { Chance } from "@felhom/storm/Chance"
import { Disk, wholeFiles } from "@felhom/storm/Disk"
import { Effect, Exit } from "effect"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (content: Uint8Array | undefined): string | undefined =>
  content === undefined ? undefined : new TextDecoder().decode(content)

const cuts = (disk: Disk, path: string): ReadonlySet<string | undefined> =>
  new Set(Array.from({ length: 200 }, (_, seed) => text(disk.cut(new Chance(seed)).get(path))))

describe("the disk of a schedule", () => {
  it.effect("keeps what was written durably, whenever the power is cut", () =>
    Effect.gen(function*() {
      const disk = new Disk(new Map())
      const file = yield* disk.fileSteps.create("/state/log")
      yield* file.appendDurably(bytes("one"))
      yield* disk.fileSteps.syncFolder("/state")
      expect(cuts(disk, "/state/log")).toEqual(new Set(["one"]))
      yield* file.append(bytes("two"))
      expect(text(disk.certain("/state/log"))).toBe("one")
      expect(text(disk.present().get("/state/log"))).toBe("onetwo")
      const left = cuts(disk, "/state/log")
      expect(left.size).toBeGreaterThan(3)
      for (const content of left) expect(content).toMatch(/^one/)
    }).pipe(Effect.scoped))

  it.effect("forgets a file whose folder was not synced, at times", () =>
    Effect.gen(function*() {
      const disk = new Disk(new Map())
      const file = yield* disk.fileSteps.create("/state/log")
      yield* file.appendDurably(bytes("one"))
      expect(cuts(disk, "/state/log")).toEqual(new Set([undefined, "one"]))
      expect(disk.certain("/state/log")).toBeUndefined()
    }).pipe(Effect.scoped))

  it.effect("has the old or the new content of a file that is replaced, and nothing else", () =>
    Effect.gen(function*() {
      const disk = new Disk(new Map([["/state/a", bytes("old")]]))
      const seen = new Set<string | undefined>()
      disk.before = () => {
        for (const content of cuts(disk, "/state/a")) seen.add(content)
        return true
      }
      yield* wholeFiles(disk).replace("/state/a", bytes("new"))
      expect(seen).toEqual(new Set(["old", "new"]))
      expect(cuts(disk, "/state/a")).toEqual(new Set(["new"]))
    }))

  it.effect("fails as it is told to, and once only where it is told so", () =>
    Effect.gen(function*() {
      const disk = new Disk(new Map())
      const files = wholeFiles(disk)
      disk.condition = "full"
      expect(Exit.isFailure(yield* Effect.exit(files.replace("/state/a", bytes("a"))))).toBe(true)
      disk.condition = "sound"
      disk.failsAfter = 2
      expect(Exit.isFailure(yield* Effect.exit(files.replace("/state/a", bytes("a"))))).toBe(true)
      yield* files.replace("/state/a", bytes("b"))
      expect(text(disk.read("/state/a"))).toBe("b")
    }))
})
