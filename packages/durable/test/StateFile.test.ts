import { describe, it } from "@effect/vitest"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import * as StateFile from "@felhom/durable/StateFile"
import { Effect, Layer, Option, Ref } from "effect"
import { expect } from "vitest"

const path = "/state/state.json"

const crypto = Layer.effect(
  Crypto,
  Effect.map(Ref.make(0), (counter) => ({
    sha256: () => Effect.succeed(Sha256Hex.make("0".repeat(64))),
    randomHex: (bytes: number) =>
      Effect.map(Ref.updateAndGet(counter, (n) => n + 1), (n) => String(n).padStart(bytes * 2, "0"))
  }))
)

/** A disk in memory that can be filled up. */
const makeDisk = Effect.map(
  Effect.all({ files: Ref.make(new Map<string, Uint8Array>()), full: Ref.make(false) }),
  ({ files, full }) => ({
    full,
    files,
    layer: Layer.succeed(DurableFile, {
      read: (name) => Effect.map(Ref.get(files), (map) => Option.fromNullable(map.get(name))),
      replace: (name, content) =>
        Effect.flatMap(Ref.get(full), (isFull) =>
          isFull
            ? Effect.fail(
              new DurableFileError({ operation: "replace", path: name, code: "ENOSPC", detail: "no space left" })
            )
            : Ref.update(files, (map) => new Map(map).set(name, content)))
    })
  })
)

type Disk = Effect.Effect.Success<typeof makeDisk>

const withState = <A, E>(disk: Disk, use: Effect.Effect<A, E, StateFile.StateFile>) =>
  use.pipe(Effect.provide(Layer.provide(StateFile.layer("/state/"), Layer.merge(disk.layer, crypto))))

const event = (message: string): StateFile.NewEvent => ({
  kind: "guest.changed",
  severity: "info",
  subject: "lxc/101",
  message
})

describe("StateFile", () => {
  it.effect("gives a host the same id, and goes on counting, after a restart", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const read = Effect.flatMap(StateFile.StateFile, (state) =>
        Effect.map(state.nextSequence, (sequence) => ({ ...state.host, sequence })))
      const first = yield* withState(disk, read)
      const second = yield* withState(disk, read)
      expect(second).toEqual({ ...first, sequence: 2 })
    }))

  it.effect("keeps events in their order over a restart until the hub has acknowledged them", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(
        disk,
        Effect.flatMap(StateFile.StateFile, (state) => state.record([event("one"), event("two"), event("three")]))
      )
      const left = yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.acknowledge(2)
          yield* state.record([event("four")])
          return yield* state.pending
        })
      )
      expect(left.events.map(({ message, seq }) => [seq, message])).toEqual([[3, "three"], [4, "four"]])
      expect(left.dropped).toBe(0)
    }))

  it.effect("drops the oldest events of a full queue and counts them", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const left = yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.record(Array.from({ length: StateFile.eventCapacity + 3 }, (_, n) => event(String(n))))
          return yield* state.pending
        })
      )
      expect(left.dropped).toBe(3)
      expect(left.events).toHaveLength(StateFile.eventCapacity)
      expect(left.events[0]?.seq).toBe(4)
    }))

  it.effect("goes on from memory while the disk is full, says so, and catches up afterwards", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* Ref.set(disk.full, true)
          yield* state.record([event("while full")])
          expect((yield* state.pending).events).toHaveLength(1)
          expect(Option.map(yield* state.failure, (error) => error.code)).toEqual(Option.some("ENOSPC"))
          yield* Ref.set(disk.full, false)
          yield* state.nextSequence
          expect(yield* state.failure).toEqual(Option.none())
        })
      )
      const left = yield* withState(disk, Effect.flatMap(StateFile.StateFile, (state) => state.pending))
      expect(left.events.map(({ message }) => message)).toEqual(["while full"])
    }))

  it.effect("refuses a damaged file and leaves it as it is", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const damaged = new TextEncoder().encode("{\"typ\":\"felhom/state/v1\",\"hostId\":")
      yield* Ref.update(disk.files, (map) => new Map(map).set(path, damaged))
      const refusal = yield* Effect.flip(withState(disk, StateFile.StateFile))
      expect(refusal).toMatchObject({ _tag: "StateFileCorrupt", path })
      expect(refusal.message).toContain("move it away")
      expect((yield* Ref.get(disk.files)).get(path)).toBe(damaged)
    }))

  it.effect("does not start in a folder that it can't write", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* Ref.set(disk.full, true)
      const refusal = yield* Effect.flip(withState(disk, StateFile.StateFile))
      expect(refusal).toMatchObject({ _tag: "DurableFileError", code: "ENOSPC" })
    }))
})
