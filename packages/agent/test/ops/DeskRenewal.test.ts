import { describe, it } from "@effect/vitest"
import { type OpenedDesk, renewing } from "@felhom/agent/ops/DeskRenewal"
import { type HandedOver, noDesk, type OpDesk } from "@felhom/agent/ops/OpDesk"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { DurableFileError } from "@felhom/domain/port/DurableFile"
import { EpochMillis } from "@felhom/domain/Time"
import { DurableLogError } from "@felhom/durable/DurableLogError"
import { StateFile } from "@felhom/durable/StateFile"
import { Effect, Exit, Fiber, Layer, Option, Queue, Ref, Scope, TestClock } from "effect"
import { expect } from "vitest"

const failed = new DurableLogError({
  reason: "io",
  path: "/state/journal.log",
  detail: "cannot append to /state/journal.log: i/o error (EIO)"
})
const unwritable = new DurableFileError({
  operation: "replace",
  path: "/state/state.json",
  code: "EIO",
  detail: "i/o error"
})

/** A desk that tells when it is opened and closed, on a disk that can be broken. */
const makeWorld = Effect.gen(function*() {
  const said = yield* Ref.make<ReadonlyArray<string>>([])
  const events = yield* Ref.make<ReadonlyArray<string>>([])
  const state = yield* Ref.make(Option.none<DurableFileError>())
  const broken = yield* Ref.make(Option.none<DurableLogError>())
  const bell = yield* Queue.unbounded<void>()
  /** Whether the disk is still broken when the desk is open anew. */
  const stays = yield* Ref.make(false)
  let count = 0
  const say = (word: string) => Ref.update(said, (all) => [...all, word])
  const open = (again: boolean): Effect.Effect<OpenedDesk, never, Scope.Scope> =>
    Effect.gen(function*() {
      count += 1
      const mine = count
      if (!(yield* Ref.get(stays))) yield* Ref.set(broken, Option.none())
      yield* Effect.acquireRelease(say(`${again ? "open again" : "open"} ${mine}`), () => say(`close ${mine}`))
      const desk: OpDesk = {
        ...noDesk,
        takes: "yes",
        received: () => say(`received by ${mine}`),
        urgent: Queue.take(bell)
      }
      return { desk, broken: Ref.get(broken) }
    })
  const states = Layer.mock(StateFile, {
    host: { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) },
    record: (all) =>
      Ref.update(events, (before) => [...before, ...all.map(({ kind, message }) => `${kind} ${message}`)]),
    failure: Ref.get(state)
  })
  const scope = yield* Scope.make()
  const desk = yield* renewing(open).pipe(Effect.provide(states), Scope.extend(scope))
  const taken = <A>(ref: Ref.Ref<ReadonlyArray<A>>) => Ref.getAndSet(ref, [])
  return {
    desk,
    ring: Queue.offer(bell, undefined),
    break: Ref.set(broken, Option.some(failed)),
    stays: (does: boolean) => Ref.set(stays, does),
    state: (failure: Option.Option<DurableFileError>) => Ref.set(state, failure),
    said: taken(said),
    events: taken(events),
    end: Scope.close(scope, Exit.void)
  }
})

const handed: HandedOver = { ops: [], signers: [], serverTime: EpochMillis.make(0) }

describe("a desk whose records the disk has failed under", () => {
  it.effect("is opened anew when the agent can keep its state again, after the old one is closed, and tells both", () =>
    Effect.gen(function*() {
      const { desk, events, said, ...world } = yield* makeWorld
      yield* desk.mend
      expect(yield* said).toEqual(["open 1"])
      yield* world.break
      yield* world.state(Option.some(unwritable))
      yield* desk.mend
      yield* desk.mend
      expect(yield* said).toEqual([])
      expect(yield* events).toEqual([`state.unwritable ${failed.message}`])
      yield* world.state(Option.none())
      yield* desk.mend
      expect(yield* said).toEqual(["close 1", "open again 2"])
      expect(yield* events).toEqual([
        "state.recovered the disk takes writes again: /state/journal.log and what stands beside it is open anew, " +
        "and what was under way is followed on"
      ])
      yield* desk.received(handed)
      yield* desk.mend
      expect(yield* said).toEqual(["received by 2"])
      yield* world.end
      expect(yield* said).toEqual(["close 2"])
    }))

  it.effect("still has the loop hurry for what is urgent, though it waited since before", () =>
    Effect.gen(function*() {
      const { desk, ...world } = yield* makeWorld
      const waiting = yield* Effect.fork(desk.urgent)
      yield* Effect.yieldNow()
      yield* world.break
      yield* desk.mend
      yield* world.ring
      expect(yield* Fiber.join(waiting)).toBeUndefined()
    }))

  it.effect("is opened anew at once, then after a minute, then after longer and longer, up to a quarter of an hour", () =>
    Effect.gen(function*() {
      const { desk, said, ...world } = yield* makeWorld
      const renewals: Array<number> = []
      for (let minute = 0; minute <= 60; minute++) {
        yield* world.break
        yield* said
        yield* desk.mend
        if ((yield* said).length > 0) renewals.push(minute)
        yield* TestClock.adjust("1 minute")
      }
      expect(renewals).toEqual([0, 1, 3, 7, 15, 30, 45, 60])
      // Once it has held for long, the next failure is one by itself.
      yield* desk.mend
      yield* TestClock.adjust("16 minutes")
      yield* world.break
      yield* desk.mend
      yield* said
      yield* TestClock.adjust("1 minute")
      yield* world.break
      yield* desk.mend
      expect(yield* said).toHaveLength(2)
    }))

  it.effect("is told of once, and not as recovered, while opening it anew does not help", () =>
    Effect.gen(function*() {
      const { desk, events, ...world } = yield* makeWorld
      yield* world.stays(true)
      yield* world.break
      for (let minute = 0; minute < 30; minute++) {
        yield* desk.mend
        yield* TestClock.adjust("1 minute")
      }
      expect(yield* events).toEqual([`state.unwritable ${failed.message}`])
      yield* world.stays(false)
      yield* TestClock.adjust("15 minutes")
      yield* desk.mend
      expect((yield* events).map((event) => event.split(" ")[0])).toEqual(["state.recovered"])
    }))
})
