import { describe, it } from "@effect/vitest"
import * as NodeUnitFiles from "@felhom/agent/root/NodeUnitFiles"
import { UnitFiles } from "@felhom/privileged/UnitFiles"
import { Effect, Option } from "effect"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const unit = "mnt-felhom-a\\x2db.mount"

const inFolder = <A, E>(use: (folder: string) => Effect.Effect<A, E, UnitFiles>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-units-"))),
    (folder) => Effect.provide(use(folder), NodeUnitFiles.layer(folder)),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

describe("the host's unit files", () => {
  it.live("are written whole, readable by all, replaced, and removed as if they had never been", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const files = yield* UnitFiles
        expect(yield* files.read(unit)).toEqual(Option.none())
        yield* files.write(unit, "one")
        yield* files.write(unit, "two")
        expect(yield* files.read(unit)).toEqual(Option.some("two"))
        expect(readdirSync(folder)).toEqual([unit])
        expect(statSync(join(folder, unit)).mode & 0o777).toBe(0o644)
        yield* files.remove(unit)
        yield* files.remove(unit)
        expect(readdirSync(folder)).toEqual([])
      })
    ))

  it.live("are not written through what somebody left in their way", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const files = yield* UnitFiles
        const victim = join(folder, "victim")
        writeFileSync(victim, "precious")
        symlinkSync(victim, join(folder, `.${unit}.felhom`))
        symlinkSync(victim, join(folder, unit))
        yield* files.write(unit, "text")
        expect(readFileSync(victim, "utf8")).toBe("precious")
        expect(readdirSync(folder).toSorted()).toEqual([unit, "victim"])
      })
    ))

  it.live("that can't be written leave nothing, and are told with their path", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const files = yield* UnitFiles
        mkdirSync(join(folder, unit))
        writeFileSync(join(folder, unit, "x"), "")
        const { message } = yield* Effect.flip(files.write(unit, "text"))
        expect(message).toContain(`cannot write ${join(folder, unit)}`)
        expect(readdirSync(folder)).toEqual([unit])
        expect((yield* Effect.flip(files.read(unit))).message).toContain("EISDIR")
        expect((yield* Effect.flip(files.remove(unit))).message).toContain(`cannot remove ${join(folder, unit)}`)
      })
    ))

  it.live("say what is mounted, as the kernel has it", () =>
    inFolder(() =>
      Effect.gen(function*() {
        const { mountInfo } = yield* UnitFiles
        expect(yield* mountInfo).toMatch(/^\d+ \d+ \d+:\d+ \/ \S+ .* - \S+ \S+ \S+$/m)
      })
    ))
})
