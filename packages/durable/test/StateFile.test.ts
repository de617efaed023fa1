import { describe, it } from "@effect/vitest"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { Sha256Hex } from "@felhom/domain/Sha256"
import * as StateFile from "@felhom/durable/StateFile"
import { Effect, Layer, Option, Ref, TestClock } from "effect"
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

/** A disk in memory that can be filled up, or that has room for so many writes. */
const makeDisk = Effect.map(
  Effect.all({ files: Ref.make(new Map<string, Uint8Array>()), full: Ref.make(false), room: Ref.make(Infinity) }),
  ({ files, full, room }) => ({
    full,
    room,
    files,
    layer: Layer.succeed(DurableFile, {
      read: (name) => Effect.map(Ref.get(files), (map) => Option.fromNullable(map.get(name))),
      replace: (name, content) =>
        Effect.flatMap(
          Effect.all([Ref.get(full), Ref.getAndUpdate(room, (left) => left - 1)]),
          ([isFull, left]) =>
            isFull || left <= 0
              ? Effect.fail(
                new DurableFileError({ operation: "replace", path: name, code: "ENOSPC", detail: "no space left" })
              )
              : Ref.update(files, (map) => new Map(map).set(name, content))
        )
    })
  })
)

type Disk = Effect.Effect.Success<typeof makeDisk>

const withState = <A, E>(disk: Disk, use: Effect.Effect<A, E, StateFile.StateFile>) =>
  use.pipe(Effect.provide(Layer.provide(StateFile.layer("/state//"), Layer.merge(disk.layer, crypto))))

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
      expect([first.id, first.epoch]).toEqual(["1".padStart(32, "0"), "2".padStart(32, "0")])
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
          yield* state.acknowledge(2, 2)
          yield* state.record([event("four")])
          return yield* state.pending
        })
      )
      expect(left.events.map(({ message, seq }) => [seq, message])).toEqual([[3, "three"], [4, "four"]])
      expect(left.dropped).toBe(0)
    }))

  it.effect("keeps what stands nowhere else until it is settled, whatever the hub has, and over restarts", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const ended = { ...event("finished"), subject: "op 1" }
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.recordLasting(ended)
          yield* state.recordLasting({ ...ended, subject: "op 2" })
          expect((yield* state.pending).events.map(({ seq, subject }) => [seq, subject])).toEqual([
            [1, "op 1"],
            [2, "op 2"]
          ])
          yield* state.acknowledge(2, 2)
          expect((yield* state.pending).events).toEqual([])
        })
      )
      const word = { kind: "guest.changed", subject: "op 2", message: "finished" }
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          expect(yield* state.lasting).toEqual([{ ...word, subject: "op 1" }, word])
          yield* state.settled("op 1")
          const written = yield* Ref.get(disk.files)
          yield* state.settled("op 1")
          expect(yield* Ref.get(disk.files)).toBe(written)
        })
      )
      expect(yield* withState(disk, Effect.flatMap(StateFile.StateFile, ({ lasting }) => lasting))).toEqual([word])
    }))

  it.effect("tells what stands nowhere else only when the disk has it, and the rest meanwhile", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const ended = { ...event("finished"), subject: "op 1" }
      const told = Effect.flatMap(
        StateFile.StateFile,
        (state) =>
          Effect.map(state.pending, ({ events }) => events.map(({ message, seq }) => [seq, message.slice(0, 20)]))
      )
      const meanwhile = [[1, "the agent can't keep"], [2, "another"]]
      const recovered = [...meanwhile, [3, "finished"], [4, "the agent can keep i"]]
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* Ref.set(disk.full, true)
          expect(yield* state.recordLasting(ended)).toBe(false)
          yield* state.record([event("another")])
          expect(yield* told).toEqual(meanwhile)
          yield* Ref.set(disk.full, false)
          // There is room for one write: the words are there, and then an event that is not.
          yield* Ref.set(disk.room, 1)
          yield* state.nextSequence
          expect(yield* told).toEqual(recovered)
          // The hub's answer can't be written down.
          yield* state.acknowledge(4, 4)
          expect(yield* told).toEqual([])
          yield* Ref.set(disk.room, Infinity)
        })
      )
      const word = { kind: "guest.changed", subject: "op 1", message: "finished" }
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          expect(yield* state.lasting).toEqual([word])
          yield* state.acknowledge(4, 2)
          expect(yield* told).toEqual([[5, "finished"]])
          yield* state.acknowledge(5, 5)
        })
      )
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.nextSequence
          expect(yield* told).toEqual([])
          expect(yield* state.lasting).toEqual([word])
        })
      )
    }))

  it.effect("keeps of an event's words what the hub takes", () =>
    Effect.gen(function*() {
      const left = yield* withState(
        yield* makeDisk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.record([{ ...event("m".repeat(2049)), subject: "s".repeat(257) }, {
            ...event(""),
            subject: null
          }])
          return yield* state.pending
        })
      )
      expect(left.events.map(({ message, subject }) => [message, subject])).toEqual([
        ["m".repeat(2048), "s".repeat(256)],
        ["", null]
      ])
    }))

  it.effect("moves a report's number on by a second for each that it was away, begun ones too", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const next = withState(disk, Effect.flatMap(StateFile.StateFile, (state) => state.nextSequence))
      yield* TestClock.setTime(1000)
      expect(yield* next).toBe(1)
      yield* TestClock.adjust("9001 millis")
      expect(yield* next).toBe(12)
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

  it.effect("goes on from memory while the disk is full, says so once, and catches up afterwards", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* Ref.set(disk.full, true)
          yield* state.record([event("while full")])
          yield* state.nextSequence
          const kinds = Effect.map(state.pending, ({ events }) => events.map(({ kind }) => kind))
          expect(yield* kinds).toEqual(["guest.changed", "state.unwritable"])
          expect((yield* state.pending).events.at(-1)?.message).toContain("free some space")
          expect(Option.map(yield* state.failure, (error) => error.code)).toEqual(Option.some("ENOSPC"))
          yield* Ref.set(disk.full, false)
          yield* state.nextSequence
          expect(yield* kinds).toEqual(["guest.changed", "state.unwritable", "state.recovered"])
          expect(yield* state.failure).toEqual(Option.none())
        })
      )
      const left = yield* withState(disk, Effect.flatMap(StateFile.StateFile, (state) => state.pending))
      expect(left.events.map(({ kind, seq }) => [seq, kind])).toEqual([
        [1, "guest.changed"],
        [2, "state.unwritable"],
        [3, "state.recovered"]
      ])
    }))

  it.effect("knows when the disk is full again in the moment in which that seemed over, and loses nothing", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* Ref.set(disk.full, true)
          yield* state.record([event("while full")])
          yield* Ref.set(disk.full, false)
          yield* Ref.set(disk.room, 1)
          yield* state.nextSequence
          expect(Option.map(yield* state.failure, ({ code }) => code)).toEqual(Option.some("ENOSPC"))
          yield* Ref.set(disk.room, Infinity)
          yield* state.nextSequence
          expect(yield* state.failure).toEqual(Option.none())
        })
      )
      const { events } = yield* withState(disk, Effect.flatMap(StateFile.StateFile, (state) => state.pending))
      expect(events.map(({ kind }) => kind)).toEqual([
        "guest.changed",
        "state.unwritable",
        "state.recovered",
        "state.recovered"
      ])
    }))

  it.effect("writes nothing where there is nothing to say", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.record([event("one")])
          yield* state.acknowledge(1, 2)
          const before = (yield* Ref.get(disk.files)).get(path)
          yield* state.acknowledge(1, 2)
          yield* state.record([])
          expect((yield* Ref.get(disk.files)).get(path)).toBe(before)
        })
      )
    }))

  it.effect("does not write down again what the hub says again while it lacks an event", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.record([event("one"), event("two")])
          yield* state.acknowledge(1, 2)
          const before = (yield* Ref.get(disk.files)).get(path)
          yield* state.acknowledge(1, 2)
          expect((yield* Ref.get(disk.files)).get(path)).toBe(before)
        })
      )
    }))

  it.effect("never gives out a report's number again that it could not save", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const reports = (count: number) =>
        withState(
          disk,
          Effect.flatMap(StateFile.StateFile, (state) =>
            Effect.all(
              Array.from({ length: count }, () => Effect.zipLeft(state.nextSequence, TestClock.adjust("5 seconds")))
            ))
        )
      const saved = yield* reports(3)
      yield* Ref.set(disk.full, true)
      const unsaved = [...yield* reports(60), ...yield* reports(10)]
      yield* Ref.set(disk.full, false)
      const after = yield* reports(2)
      const all = [...saved, ...unsaved, ...after]
      expect(all).toEqual([...new Set(all)].sort((a, b) => a - b))
    }))

  it.effect("goes on counting when the clock was set back", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const next = withState(disk, Effect.flatMap(StateFile.StateFile, (state) => state.nextSequence))
      yield* TestClock.setTime(3_600_000)
      yield* next
      yield* TestClock.setTime(1000)
      expect(yield* next).toBe(2)
    }))

  it.effect("gives an event no number that the hub has another event under", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const hub = new Map<number, string>()
      // The hub keeps the first event of a number, and acknowledges as far as it has all of them.
      const exchange = Effect.gen(function*() {
        const state = yield* StateFile.StateFile
        const { events } = yield* state.pending
        for (const { message, seq } of events) {
          if (!hub.has(seq)) hub.set(seq, message)
        }
        let acked = 0
        while (hub.has(acked + 1)) acked += 1
        yield* state.acknowledge(acked, events.at(-1)?.seq ?? 0)
      })
      const run = (...messages: ReadonlyArray<string>) =>
        withState(
          disk,
          Effect.gen(function*() {
            const state = yield* StateFile.StateFile
            yield* state.record(messages.map(event))
            yield* exchange
            yield* exchange
            return (yield* state.pending).events.length
          })
        )
      expect(yield* run("saved one", "saved two")).toBe(0)
      yield* Ref.set(disk.full, true)
      expect(yield* run("lost one", "lost two")).toBe(0)
      expect(yield* run("lost three")).toBe(0)
      yield* Ref.set(disk.full, false)
      expect(yield* run("new one")).toBe(0)
      const told = [...hub.values()]
      for (const message of ["saved one", "saved two", "lost one", "lost two", "lost three", "new one"]) {
        expect(told).toContain(message)
      }
      expect([...hub.keys()]).toEqual(told.map((_, index) => index + 1))
    }))

  it.effect("sends nothing new after a start before the hub has answered, and keeps it over another one", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(disk, Effect.flatMap(StateFile.StateFile, (state) => state.record([event("first")])))
      const second = yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.record([event("second")])
          return yield* state.pending
        })
      )
      expect(second.events.map(({ message }) => message)).toEqual(["first"])
      const third = yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          const before = yield* state.pending
          yield* state.acknowledge(5, 1)
          return { before: before.events, after: (yield* state.pending).events }
        })
      )
      expect(third.before.map(({ message }) => message)).toEqual(["first"])
      expect(third.after.map(({ message, seq }) => [seq, message])).toEqual([[6, "second"]])
    }))

  it.effect("keeps an event that was recorded while a report was under way, whatever its answer claims to have", () =>
    Effect.gen(function*() {
      const left = yield* withState(
        yield* makeDisk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.record([event("one"), event("two")])
          const sent = (yield* state.pending).events.at(-1)?.seq ?? 0
          yield* state.record([event("three")])
          yield* state.acknowledge(sent + 3, sent)
          return yield* state.pending
        })
      )
      expect(left.events.map(({ message, seq }) => [seq, message])).toEqual([[3, "three"]])
    }))

  it.effect("is moved on by no acknowledgement beyond what a number can hold", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      yield* withState(disk, StateFile.StateFile)
      const left = yield* withState(
        disk,
        Effect.gen(function*() {
          const state = yield* StateFile.StateFile
          yield* state.acknowledge(Number.MAX_SAFE_INTEGER, 0)
          yield* state.record([event("after")])
          return yield* state.pending
        })
      )
      expect(left.events.map(({ seq }) => seq)).toEqual([1_000_001])
    }))

  it.effect("reads the file of version 0.1", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const old = {
        typ: "felhom/state/v1",
        hostId: "0".repeat(32),
        hostEpoch: "1".repeat(32),
        sequence: 7,
        lastEvent: 3
      }
      const file = new TextEncoder().encode(JSON.stringify({ ...old, events: [], eventsDropped: 0 }))
      yield* Ref.update(disk.files, (map) => new Map(map).set(path, file))
      yield* TestClock.setTime(1_795_307_102_000)
      expect(yield* withState(disk, Effect.flatMap(StateFile.StateFile, (state) => state.nextSequence))).toBe(8)
    }))

  it.effect("refuses a damaged file and leaves it as it is", () =>
    Effect.gen(function*() {
      const disk = yield* makeDisk
      const damaged = new TextEncoder().encode("{\"typ\":\"felhom/state/v1\",\"hostId\":")
      yield* Ref.update(disk.files, (map) => new Map(map).set(path, damaged))
      const refusal = yield* Effect.flip(withState(disk, StateFile.StateFile))
      expect(refusal).toMatchObject({ _tag: "StateFileCorrupt", path })
      expect(refusal.message).toContain("move it away: the agent then starts as a new host, with a new host id")
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
