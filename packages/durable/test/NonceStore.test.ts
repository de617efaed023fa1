import { describe, it } from "@effect/vitest"
import { EpochMillis } from "@felhom/domain/Time"
import * as DurableLog from "@felhom/durable/DurableLog"
import * as NonceStore from "@felhom/durable/NonceStore"
import { Clock, Effect, Layer, TestClock } from "effect"
import { expect } from "vitest"
import { crashStates, type Disk, formatDisk, makeModel, type Model } from "./ModelFileSystem.ts"
import { testCrypto } from "./TestCrypto.ts"

const day = 24 * 3_600_000
const at = (millis: number) => EpochMillis.make(millis)

/** A start of the agent on the model's disk. */
const withStore = <A, E>(
  model: Model,
  use: (store: typeof NonceStore.NonceStore.Service) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.flatMap(NonceStore.NonceStore, use).pipe(
    Effect.provide(Layer.provide(NonceStore.layer("/state"), Layer.merge(model.layer, testCrypto)))
  )

const on = (disk: Disk) => makeModel(disk)

describe("NonceStore", () => {
  it.effect("spends a nonce once, and not again after a restart", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withStore(model, (store) => store.spend("n1", at(1000)))
      const refusal = yield* Effect.flip(withStore(model, (store) => store.spend("n1", at(1000))))
      expect(refusal).toMatchObject({ _tag: "NonceSpent", nonce: "n1" })
      expect(yield* withStore(model, (store) => store.isSpent("n1"))).toBe(true)
      expect(yield* withStore(model, (store) => store.isSpent("n2"))).toBe(false)
    }))

  it.effect("lets one of many through that spend the same nonce at once", () =>
    Effect.gen(function*() {
      const outcomes = yield* withStore(makeModel(), (store) =>
        Effect.forEach(Array.from({ length: 20 }), () =>
          Effect.either(store.spend("same", at(1000))), {
          concurrency: "unbounded"
        }))
      expect(outcomes.filter(({ _tag }) =>
        _tag === "Right"
      )).toHaveLength(1)
    }))

  it.effect("replays no nonce wherever the power is cut, and never goes back behind what it told", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const told: Array<{ readonly moment: number; readonly nonce: string; readonly seq: number }> = []
      const epoch = yield* withStore(model, (store) =>
        Effect.gen(function*() {
          for (const nonce of ["a", "b", "c"]) {
            yield* store.spend(nonce, at(3_600_000))
            told.push({ moment: model.moments.length - 1, nonce, seq: yield* store.storeSeq })
          }
          return yield* store.hostEpoch
        }))
      let states = 0
      const judged = new Map<
        string,
        { readonly spent: ReadonlyArray<string>; readonly seq: number; readonly epoch: string }
      >()
      for (const [moment, state] of model.moments.entries()) {
        const due = told.filter((entry) => entry.moment <= moment)
        for (const disk of crashStates(state)) {
          states += 1
          const shown = formatDisk(disk)
          const found = judged.get(shown) ?? (yield* withStore(on(disk), (store) =>
            Effect.gen(function*() {
              const spent: Array<string> = []
              for (const nonce of ["a", "b", "c"]) {
                if (yield* store.isSpent(nonce)) spent.push(nonce)
              }
              return { spent, seq: yield* store.storeSeq, epoch: yield* store.hostEpoch }
            })))
          judged.set(shown, found)
          for (const { nonce, seq } of due) {
            expect(found.spent).toContain(nonce)
            expect(found.seq).toBeGreaterThanOrEqual(seq)
            expect(found.epoch).toBe(epoch)
          }
        }
      }
      expect(states).toBeGreaterThan(100)
    }))

  it.effect("has another epoch when it was lost, so that nothing signed before is good", () =>
    Effect.gen(function*() {
      const crypto = testCrypto
      const epochs = yield* Effect.gen(function*() {
        const epoch = (model: Model) =>
          Effect.flatMap(NonceStore.NonceStore, (store) => store.hostEpoch).pipe(
            Effect.provide(Layer.provide(NonceStore.layer("/state"), model.layer))
          )
        return [yield* epoch(makeModel()), yield* epoch(makeModel())]
      }).pipe(Effect.provide(crypto))
      expect(epochs[0]).not.toBe(epochs[1])
    }))

  it.effect("refuses everything while its file is gone, and says which", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withStore(model, (store) => store.spend("n1", at(1000)))
      const bereft = new Map([...model.present()].filter(([name]) => name !== "/state/nonces.log"))
      const refusal = yield* Effect.flip(withStore(on(bereft), (store) => store.spend("n1", at(1000))))
      expect(refusal).toMatchObject({ _tag: "DurableLogError", reason: "lost", path: "/state/nonces.log" })
    }))

  it.effect("refuses everything while its file holds what it does not know", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const newer = DurableLog.open({
        directory: "/state",
        name: "nonces",
        load: () => Effect.void,
        keep: () => [new Uint8Array([9, 1])]
      })
      yield* Effect.scoped(newer).pipe(Effect.provide(Layer.merge(model.layer, testCrypto)))
      const refusal = yield* Effect.flip(withStore(model, (store) => store.isSpent("n1")))
      expect(refusal).toMatchObject({
        reason: "unreadable",
        path: "/state/nonces.log",
        detail: "a record of kind 9 is not known"
      })
    }))

  it.effect("writes its file anew once that has doubled, with every nonce in it, and goes on", () =>
    Effect.gen(function*() {
      const model = makeModel(new Map(), { history: false })
      const count = 26_000
      const nonces = Array.from({ length: count }, (_, index) => `n${index}`)
      yield* withStore(model, (store) =>
        Effect.gen(function*() {
          yield* Effect.forEach(nonces, (nonce) => store.spend(nonce, at(1000)), { concurrency: 1000 })
          // 41 bytes were written for each; in a block it has 20.
          expect(model.present().get("/state/nonces.log")?.length).toBeLessThan(21 * count)
          yield* store.spend("one more", at(1000))
        }))
      yield* withStore(model, (store) =>
        Effect.gen(function*() {
          expect(yield* store.size).toBe(count + 1)
          expect(yield* store.storeSeq).toBe(count + 1)
          for (const nonce of ["n0", "n25999", "one more"]) expect(yield* store.isSpent(nonce)).toBe(true)
        }))
    }))

  it.effect("begins nothing new while the disk is nearly full", () =>
    Effect.gen(function*() {
      const model = makeModel()
      model.free = 1024
      expect(yield* Effect.flip(withStore(model, (store) => store.spend("n", at(1))))).toMatchObject({ reason: "full" })
    }))

  it.effect("forgets a nonce seven days after its op expired, and not before", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* TestClock.setTime(day)
      const live = (days: number) =>
        withStore(model, (store) =>
          Effect.gen(function*() {
            // Looked at each hour, as a running agent does.
            for (let hour = 0; hour < days * 24; hour++) {
              yield* TestClock.adjust("1 hour")
              yield* store.lastSeenTime
            }
          }))
      yield* withStore(model, (store) => store.spend("n", at(day + 3_600_000)))
      yield* live(7)
      expect(yield* withStore(model, (store) => store.size)).toBe(1)
      yield* live(1)
      expect(yield* withStore(model, (store) => store.size)).toBe(0)
    }))

  it.effect("forgets those whose time is over, and keeps the others", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* TestClock.setTime(day)
      yield* withStore(model, (store) =>
        Effect.gen(function*() {
          yield* store.spend("short", at(day))
          yield* store.spend("long", at(3 * day))
          for (let hour = 0; hour <= 8 * 24; hour++) {
            yield* TestClock.adjust("1 hour")
            yield* store.lastSeenTime
          }
          expect(yield* store.size).toBe(2)
        }))
      yield* withStore(model, (store) =>
        Effect.gen(function*() {
          expect([yield* store.isSpent("short"), yield* store.isSpent("long"), yield* store.size]).toEqual([
            false,
            true,
            1
          ])
        }))
    }))

  it.effect("forgets nothing because the clock jumped, and is not destroyed upon once it was set back", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const real = yield* Effect.clock
      let offset = 0
      // A clock that can be set, over one that only counts.
      const settable: Clock.Clock = {
        ...real,
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis() + offset,
        currentTimeMillis: Effect.sync(() => real.unsafeCurrentTimeMillis() + offset),
        unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
        currentTimeNanos: Effect.sync(() => real.unsafeCurrentTimeNanos()),
        sleep: (duration) => real.sleep(duration)
      }
      yield* TestClock.setTime(day)
      yield* Effect.withClock(
        Effect.gen(function*() {
          yield* withStore(model, (store) =>
            Effect.gen(function*() {
              yield* store.spend("n", at(day + 1000))
              offset = 400 * day
              expect(yield* store.lastSeenTime).toBe(401 * day)
            }))
          expect(yield* withStore(model, (store) => store.isSpent("n"))).toBe(true)
          offset = 0
          expect(yield* Effect.flip(withStore(model, (store) => store.trustedTime))).toMatchObject({
            _tag: "ClockBehind",
            now: day,
            lastSeen: 401 * day
          })
          const before = yield* withStore(model, (store) => store.hostEpoch)
          const after = yield* withStore(model, (store) => store.reanchor)
          expect(after).not.toBe(before)
          expect(yield* withStore(model, (store) => store.hostEpoch)).toBe(after)
          expect(yield* withStore(model, (store) => store.trustedTime)).toBe(day)
        }),
        settable
      )
    }))

  it.effect("takes a clock that is five minutes behind, and none that is further", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* TestClock.setTime(day)
      yield* withStore(model, (store) => store.spend("n", at(day)))
      yield* TestClock.setTime(day - NonceStore.behindTolerance)
      yield* withStore(model, (store) => store.trustedTime)
      yield* TestClock.setTime(day - NonceStore.behindTolerance - 1)
      const refusal = yield* Effect.flip(withStore(model, (store) => store.trustedTime))
      expect(refusal.message).toContain("timedatectl")
    }))
})
