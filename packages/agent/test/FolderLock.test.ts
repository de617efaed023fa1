import { it } from "@effect/vitest"
import * as FolderLock from "@felhom/agent/FolderLock"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { InstanceLock, InstanceLockError } from "@felhom/domain/port/InstanceLock"
import { Effect, Layer, Option, Ref } from "effect"
import { describe, expect } from "vitest"

const refused = (reason: InstanceLockError["reason"], code: string) =>
  new InstanceLockError({ reason, directory: "/state", code, detail: "in the way" })

/** A folder whose lock answers in turn, the last answer for ever, and how often it was asked for and files were written. */
const folder = (answers: ReadonlyArray<Effect.Effect<void, InstanceLockError>>) =>
  Effect.gen(function*() {
    const tries = yield* Ref.make(0)
    const written = yield* Ref.make<ReadonlyArray<string>>([])
    const lock = Layer.succeed(InstanceLock, {
      acquire: () =>
        Effect.flatten(
          Ref.modify(tries, (count) => [answers[Math.min(count, answers.length - 1)] ?? Effect.void, count + 1])
        )
    })
    const files = Layer.succeed(DurableFile, {
      read: () => Effect.succeedNone,
      replace: (path) => Ref.update(written, (paths) => [...paths, path])
    })
    const layer = FolderLock.lockedFiles.pipe(
      Layer.provide(FolderLock.layer("/state")),
      Layer.provide([lock, files])
    )
    return { layer, tries, written }
  })

const write = Effect.flatMap(DurableFile, (files) => files.replace("/state/state.json", new Uint8Array(1)))

describe("the state folder", () => {
  it.effect("is locked once, before the first write", () =>
    Effect.gen(function*() {
      const { layer, tries, written } = yield* folder([Effect.void])
      yield* Effect.provide(Effect.zipRight(write, write), layer)
      expect(yield* Ref.get(tries)).toBe(1)
      expect(yield* Ref.get(written)).toHaveLength(2)
    }))

  it.effect("of another daemon stops the start", () =>
    Effect.gen(function*() {
      const { layer, written } = yield* folder([refused("held", "EBUSY")])
      const error = yield* Effect.flip(Effect.provide(write, layer))
      expect(error).toBeInstanceOf(InstanceLockError)
      expect(yield* Ref.get(written)).toEqual([])
    }))

  it.effect("on a read-only disk can be read, is written by nobody, and is locked as soon as the disk takes it", () =>
    Effect.gen(function*() {
      const readOnly = refused("unwritable", "EROFS")
      const { layer, tries, written } = yield* folder([readOnly, readOnly, Effect.void])
      yield* Effect.gen(function*() {
        const files = yield* DurableFile
        expect(yield* files.read("/state/state.json")).toEqual(Option.none())
        const error = yield* Effect.flip(write)
        expect(error).toBeInstanceOf(DurableFileError)
        expect(error.code).toBe("EROFS")
        expect(yield* Ref.get(written)).toEqual([])
        yield* Effect.zipRight(write, write)
      }).pipe(Effect.provide(layer))
      expect(yield* Ref.get(written)).toHaveLength(2)
      expect(yield* Ref.get(tries)).toBe(3)
    }))

  it.effect("that another daemon took meanwhile is not written to", () =>
    Effect.gen(function*() {
      const { layer, written } = yield* folder([refused("unwritable", "ENOSPC"), refused("held", "EBUSY")])
      const error = yield* Effect.flip(Effect.provide(write, layer))
      expect(error.message).toContain("another felhom-agent daemon")
      expect(yield* Ref.get(written)).toEqual([])
    }))
})
