import { describe, it } from "@effect/vitest"
import { EpochMillis } from "@felhom/domain/Time"
import * as NonceStore from "@felhom/durable/NonceStore"
import { Clock, Effect, Layer, TestClock } from "effect"
import { expect } from "vitest"
import { makeModel, type Model } from "./ModelFileSystem.ts"
import { testCrypto } from "./TestCrypto.ts"

const day = 24 * 3_600_000
const at = (millis: number) => EpochMillis.make(millis)

type Store = typeof NonceStore.NonceStore.Service

const withStore = <A, E>(model: Model, use: (store: Store) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(NonceStore.NonceStore, use).pipe(
    Effect.provide(Layer.provide(NonceStore.layer("/state"), Layer.merge(model.layer, testCrypto)))
  )

const sizeOf = (model: Model) => withStore(model, (store) => store.size)

interface Hands {
  readonly set: (millis: number) => void
  readonly pass: (millis: number) => Effect.Effect<void>
}

/** Uses a clock that `set` puts forward, beside the time that passes with it; that starts at the end of the first day. */
const withSettable = <A, E>(use: (hands: Hands) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const real = yield* Effect.clock
    let offset = 0
    const now = () => real.unsafeCurrentTimeMillis() + offset
    const settable: Clock.Clock = {
      ...real,
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: now,
      currentTimeMillis: Effect.sync(now),
      unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
      currentTimeNanos: Effect.sync(() => real.unsafeCurrentTimeNanos()),
      sleep: (duration) => real.sleep(duration)
    }
    yield* TestClock.setTime(day)
    const hands: Hands = {
      set: (millis) => void (offset += millis),
      pass: (millis) => Effect.withClock(TestClock.adjust(millis), real)
    }
    return yield* Effect.withClock(use(hands), settable)
  })

/** Spends a nonce whose op is over at once, so that it is kept for seven days of time that passed for sure. */
const spend = (store: Store) => store.spend("n", at(day))

describe("what a record of nonces counts", () => {
  it.effect("is each change that is on the disk, one after the other, over restarts", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* TestClock.setTime(day)
      yield* withStore(model, (store) =>
        Effect.gen(function*() {
          expect(yield* store.storeSeq).toBe(0)
          yield* store.spend("a", at(day))
          expect(yield* store.storeSeq).toBe(1)
          yield* Effect.all([store.spend("b", at(day)), store.spend("c", at(day))], { concurrency: "unbounded" })
          expect(yield* store.storeSeq).toBe(3)
          model.fault = { step: model.steps() + 1, code: "EIO", half: false }
          expect(yield* Effect.flip(store.spend("d", at(day)))).toMatchObject({ reason: "io" })
          expect([yield* store.storeSeq, yield* store.isSpent("d")]).toEqual([3, true])
        }))
      model.fault = undefined
      expect(yield* withStore(model, (store) => store.storeSeq)).toBeGreaterThanOrEqual(3)
    }))

  it.effect("goes on with the clock each five minutes, and not sooner", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* TestClock.setTime(day)
      yield* withStore(model, (store) =>
        Effect.gen(function*() {
          const seqAfter = (millis: number) =>
            Effect.zipRight(TestClock.adjust(millis), Effect.zipRight(store.lastSeenTime, store.storeSeq))
          expect([
            yield* seqAfter(0),
            yield* seqAfter(299_999),
            yield* seqAfter(1),
            yield* seqAfter(299_999),
            yield* seqAfter(1)
          ])
            .toEqual([1, 1, 2, 2, 3])
        }))
      expect(yield* withStore(model, (store) => store.storeSeq)).toBe(3)
    }))

  it.effect("begins anew in the very life in which it is anchored: another epoch, and no nonce", () =>
    withStore(makeModel(), (store) =>
      Effect.gen(function*() {
        const before = yield* store.hostEpoch
        yield* spend(store)
        const after = yield* store.reanchor
        expect(after).not.toBe(before)
        expect([yield* store.hostEpoch, yield* store.isSpent("n"), yield* store.size, yield* store.storeSeq]).toEqual([
          after,
          false,
          0,
          2
        ])
        yield* spend(store)
      })))
})

describe("a spent nonce is kept for seven days of time that passed for sure:", () => {
  it.effect("to the second where an agent looks at the clock all the time", () =>
    Effect.gen(function*() {
      for (const [millis, kept] of [[7 * day - 1000, 1], [7 * day, 0]] as const) {
        const model = makeModel()
        yield* TestClock.setTime(day)
        yield* withStore(model, (store) =>
          Effect.gen(function*() {
            yield* spend(store)
            yield* TestClock.adjust(millis)
            yield* store.lastSeenTime
          }))
        expect(yield* sizeOf(model)).toBe(kept)
      }
    }))

  it.effect("a clock that gains two minutes was set right, and one that gains more has jumped", () =>
    Effect.gen(function*() {
      for (const [gained, kept] of [[120_000, 0], [120_001, 1]] as const) {
        const model = makeModel()
        yield* withSettable(({ pass, set }) =>
          withStore(model, (store) =>
            Effect.gen(function*() {
              yield* spend(store)
              yield* pass(7 * day - 120_000)
              set(gained)
              yield* store.lastSeenTime
            }))
        )
        expect(yield* sizeOf(model)).toBe(kept)
      }
    }))

  it.effect("what a clock jumped by does not count, and what passed meanwhile does", () =>
    Effect.gen(function*() {
      for (const [rest, kept] of [[7 * day - 601_000, 1], [7 * day - 600_000, 0]] as const) {
        const model = makeModel()
        yield* withSettable(({ pass, set }) =>
          withStore(model, (store) =>
            Effect.gen(function*() {
              yield* spend(store)
              yield* pass(600_000)
              set(3_600_000)
              yield* store.lastSeenTime
              yield* pass(rest)
              yield* store.lastSeenTime
            }))
        )
        expect(yield* sizeOf(model)).toBe(kept)
      }
    }))

  it.effect("how long the agent was away only the clock can say, so none of it counts", () =>
    Effect.gen(function*() {
      for (const [counted, kept] of [[7 * day - 1000, 1], [7 * day, 0]] as const) {
        const model = makeModel()
        yield* TestClock.setTime(day)
        yield* withStore(model, spend)
        yield* TestClock.adjust(60_000)
        yield* withStore(model, (store) =>
          Effect.gen(function*() {
            yield* store.lastSeenTime
            yield* TestClock.adjust(counted)
            yield* store.lastSeenTime
          }))
        expect(yield* sizeOf(model)).toBe(kept)
      }
    }))

  it.effect("and one whose op is good beyond all time that is counted is kept as long as that", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* TestClock.setTime(day)
      yield* withStore(model, (store) => store.spend("far", at(8e15)))
      expect(yield* withStore(model, (store) => store.isSpent("far"))).toBe(true)
    }))
})
