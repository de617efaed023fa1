import { describe, it } from "@effect/vitest"
import { HostEpoch } from "@felhom/domain/HostId"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { Vmid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import type { DesiredJournal } from "@felhom/durable/DesiredJournal"
import { readJournal } from "@felhom/durable/JournalReading"
import type { IntendedCall } from "@felhom/durable/JournalWords"
import * as OpJournal from "@felhom/durable/OpJournal"
import type { BegunStep } from "@felhom/durable/StepRecord"
import { mostCounted } from "@felhom/durable/StepState"
import { Mandate } from "@felhom/mandate/Mandate"
import { Effect, Either, Layer, type Option, TestClock } from "effect"
import { expect } from "vitest"
import { crashStates, formatDisk, makeModel, type Model } from "./ModelFileSystem.ts"
import { testCrypto } from "./TestCrypto.ts"

const upid = Upid.make("UPID:pve:000001D5:00064B2C:6B023662:vzstart:101:felhom-agent@pve!agent:")
const guest = { type: "lxc", vmid: Vmid.make(101) } as const
const call: IntendedCall = { call: "POST /nodes/pve/lxc/101/status/start", vmid: guest.vmid, taskType: "vzstart" }
const start: BegunStep = {
  step: "lxc/101 guest.start",
  epoch: HostEpoch.make("e".repeat(32)),
  version: 7,
  action: "guest.start",
  guest,
  call,
  write: { key: "description", text: "döner\n" },
  count: { touched: "[\"lxc\",\"who\"]", created: false, grown: 0 }
}

/** A start of the agent on the model's disk. */
const withJournal = <A, E>(model: Model, use: (desired: DesiredJournal) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(OpJournal.OpJournal, ({ desired }) => use(desired)).pipe(
    Effect.provide(
      Layer.provide(OpJournal.layer("/state"), Layer.mergeAll(model.layer, testCrypto, Mandate.mintLayer))
    )
  )

const found = (model: Model) => withJournal(model, ({ open }) => open)
const countsOf = (model: Model) => withJournal(model, ({ counts }) => counts)

describe("steps of a desired state", () => {
  it.effect("are known after a restart, and how far each had come", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, ({ begun }) => begun(start))
      expect(yield* found(model)).toMatchObject([{ ...start, count: {}, upid: null, outcome: null }])
      yield* withJournal(model, ({ started }) => started(start.step, upid))
      expect(yield* found(model)).toMatchObject([{ step: start.step, upid, outcome: null }])
      yield* withJournal(model, ({ ended }) => ended(start.step, { end: "finished", detail: "OK" }))
      expect(yield* found(model)).toMatchObject([{ upid, outcome: { end: "finished", detail: "OK" } }])
      yield* withJournal(model, ({ told }) => told(start.step))
      expect(yield* found(model)).toEqual([])
    }))

  it.effect("are begun once, end once, and are told of only once they have ended", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const refused = (use: (desired: DesiredJournal) => Effect.Effect<unknown, { readonly message: string }>) =>
        Effect.map(Effect.flip(withJournal(model, use)), ({ message }) => message)
      expect(yield* refused(({ started }) => started(start.step, upid))).toContain("there is no step")
      yield* withJournal(model, ({ begun }) => begun(start))
      expect(yield* refused(({ begun }) => begun(start))).toContain("is under way already")
      expect(yield* refused(({ told }) => told(start.step))).toContain("has not ended")
      yield* withJournal(model, ({ started }) => started(start.step, upid))
      expect(yield* refused(({ started }) => started(start.step, upid))).toContain("has its task already")
      yield* withJournal(model, ({ ended }) => ended(start.step, { end: "failed", detail: "no" }))
      expect(yield* refused(({ ended }) => ended(start.step, { end: "finished", detail: "" }))).toContain("has ended")
      expect(yield* refused(({ started }) => started(start.step, upid))).toContain("has ended")
    }))

  it.effect("are not begun while the disk is nearly full, and ended all the same", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (desired) =>
        Effect.gen(function*() {
          yield* desired.begun(start)
          model.free = 1024
          expect(yield* Effect.flip(desired.begun({ ...start, step: "lxc/102 guest.start" })))
            .toMatchObject({ reason: "full" })
          yield* desired.ended(start.step, { end: "unknown", detail: "x".repeat(10_000) })
        }))
    }))

  it.effect("count from before their call on, over restarts, whatever came of them and however often they are told", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* TestClock.setTime(1000)
      yield* withJournal(model, (desired) =>
        Effect.gen(function*() {
          yield* desired.begun(start)
          yield* desired.begun({
            ...start,
            step: "lxc/102 volume.grow rootfs",
            count: { touched: "other", created: false, grown: 5 }
          })
          yield* TestClock.setTime(2000)
          yield* desired.begun({
            ...start,
            step: "new web guest.make",
            guest: null,
            count: { touched: null, created: true, grown: 0 }
          })
          yield* desired.ended(start.step, { end: "failed", detail: "" })
          yield* desired.told(start.step)
          yield* desired.begun(start)
        }))
      const counts = {
        touched: new Map([["other", 1000], [start.count.touched, 2000]]),
        created: [2000],
        grown: [{ at: 1000, bytes: 5 }]
      }
      expect(yield* countsOf(model)).toEqual(counts)
      expect(yield* countsOf(model)).toEqual(counts)
    }))

  it.effect("count as many guests as a desired state can name, the last ones", () =>
    Effect.gen(function*() {
      const model = makeModel(new Map(), { history: false })
      yield* withJournal(model, (desired) =>
        Effect.forEach(
          Array.from({ length: mostCounted + 1 }, (_, number) => number),
          (number) =>
            desired.begun({
              ...start,
              step: `step ${number}`,
              count: { touched: `guest ${number}`, created: true, grown: number + 1 }
            }),
          { discard: true }
        ))
      const { created, grown, touched } = yield* countsOf(model)
      expect([touched.size, created.length, grown.length]).toEqual([mostCounted, mostCounted, mostCounted])
      expect(touched.has("guest 0")).toBe(false)
      expect(grown.at(-1)?.bytes).toBe(mostCounted + 1)
    }))

  it.effect("have what was answered for wherever the power is cut", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const told: Array<number> = []
      yield* withJournal(model, (desired) =>
        Effect.forEach(
          [
            desired.begun(start),
            desired.started(start.step, upid),
            desired.ended(start.step, { end: "finished", detail: "OK" })
          ],
          (step) => Effect.map(step, () => void told.push(model.moments.length - 1)),
          { discard: true }
        ))
      const states = new Map<string, { readonly reached: number; readonly counted: number }>()
      for (const [index, moment] of model.moments.entries()) {
        const least = told.filter((at) => at <= index).length
        for (const disk of crashStates(moment)) {
          const shown = formatDisk(disk)
          const state = states.get(shown) ?? (yield* withJournal(makeModel(disk), ({ counts, open }) =>
            Effect.gen(function*() {
              const [step] = yield* open
              const reached = step === undefined ? 0 : step.outcome !== null ? 3 : step.upid !== null ? 2 : 1
              return { reached, counted: (yield* counts).touched.size }
            })))
          states.set(shown, state)
          expect(state.reached, `${index} ${shown}`).toBeGreaterThanOrEqual(least)
          expect(state.counted).toBe(Math.min(1, state.reached))
        }
      }
      expect(states.size).toBeGreaterThan(50)
    }))
})

const key = "web"
const identity = "[\"lxc\",[\"BC:24:11:00:00:01\"],[\"local-lvm:vm-101-disk-0\"],null]"
const destroy = { op: "guest.destroy", guest, unreferencedDisks: false } as const

const stages: ReadonlyArray<(desired: DesiredJournal) => ReturnType<DesiredJournal["proven"]>> = [
  ({ chosen }) => chosen(key, guest, call),
  ({ called }) => called(key, upid),
  ({ stands }) => stands(key, identity),
  ({ starting }) => starting(key),
  ({ proven }) => proven(key)
]

describe("guests that are made for a desired state", () => {
  it.effect("are known after a restart, by number, task and identity, as far as each had come", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const reached: Array<unknown> = []
      for (const stage of stages) {
        yield* withJournal(model, stage)
        const [made] = yield* withJournal(model, ({ guests }) => guests)
        reached.push([made?.key, made?.guest, made?.upid, made?.identity, made?.stage])
      }
      expect(reached).toEqual([
        [key, guest, null, null, "chosen"],
        [key, guest, upid, null, "called"],
        [key, guest, upid, identity, "half-made"],
        [key, guest, upid, identity, "starting"],
        [key, guest, upid, identity, "proven"]
      ])
    }))

  it.effect("get another number as long as no task is known, and never after that", () =>
    Effect.gen(function*() {
      const model = makeModel()
      const other = { type: "lxc", vmid: Vmid.make(102) } as const
      yield* withJournal(model, (desired) =>
        Effect.gen(function*() {
          yield* desired.chosen(key, guest, call)
          yield* desired.chosen(key, other, call)
          yield* desired.called(key, upid)
          expect(yield* Effect.flip(desired.chosen(key, guest, call))).toMatchObject({ _tag: "OpOutOfOrder" })
        }))
      expect(yield* withJournal(model, ({ guests }) => guests)).toMatchObject([{ guest: other, stage: "called" }])
    }))

  it.effect("go through each stage in its turn only", () =>
    Effect.gen(function*() {
      const follows: { readonly [stage: number]: ReadonlyArray<number> } = {
        0: [0, 1],
        1: [2],
        2: [2, 3, 4],
        3: [4],
        4: []
      }
      for (const reached of stages.keys()) {
        for (const next of stages.keys()) {
          const model = makeModel(new Map(), { history: false })
          yield* withJournal(model, (desired) =>
            Effect.gen(function*() {
              yield* Effect.forEach(stages.slice(0, reached + 1), (stage) => stage(desired), { discard: true })
              const took = Either.isRight(yield* Effect.either(stages[next]!(desired)))
              expect(took, `${next} after ${reached}`).toBe(follows[reached]?.includes(next))
            }))
        }
      }
      const refusal = yield* Effect.flip(withJournal(makeModel(), ({ called }) => called(key, upid)))
      expect(refusal.message).toContain("there is no record of a guest web")
    }))

  it.effect("may be removed while half-made, never started, and still who they were, and at no other time", () =>
    Effect.gen(function*() {
      for (const reached of stages.keys()) {
        for (const who of [identity, "[\"lxc\",[],[],null]"]) {
          for (const target of [destroy, { ...destroy, guest: { type: "qemu", vmid: guest.vmid } as const }]) {
            const model = makeModel(new Map(), { history: false })
            yield* withJournal(model, (desired) =>
              Effect.gen(function*() {
                yield* Effect.forEach(stages.slice(0, reached + 1), (stage) => stage(desired), { discard: true })
                const own = yield* Effect.either(desired.ownMade(key, target, who))
                expect(Either.isRight(own)).toBe(reached === 2 && who === identity && target === destroy)
                if (Either.isRight(own)) {
                  expect(yield* Mandate.redeem(own.right, target)).toEqual({ kind: "own", madeBy: upid })
                } else expect(own.left).toMatchObject({ _tag: "NotOurs", object: expect.stringContaining("/101") })
              }))
          }
        }
      }
      const nobody = yield* Effect.flip(withJournal(makeModel(), ({ ownMade }) => ownMade(key, destroy, identity)))
      expect(nobody).toMatchObject({ _tag: "NotOurs", removalBegun: false })
    }))

  it.effect("give no second mandate after a restart in the middle of a removal, nor go on from there", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (desired) =>
        Effect.gen(function*() {
          yield* Effect.forEach(stages.slice(0, 3), (stage) => stage(desired), { discard: true })
          yield* desired.ownMade(key, destroy, identity)
          // In the same life it is known that the first one came to nothing.
          yield* desired.ownMade(key, destroy, identity)
          expect(yield* Effect.flip(desired.starting(key))).toMatchObject({ _tag: "OpOutOfOrder" })
        }))
      yield* withJournal(model, (desired) =>
        Effect.gen(function*() {
          expect(yield* desired.guests).toMatchObject([{ stage: "half-made", removing: true }])
          expect(yield* Effect.flip(desired.ownMade(key, destroy, identity)))
            .toMatchObject({ _tag: "NotOurs", removalBegun: true })
          yield* desired.forgotten(key)
          yield* Effect.forEach(stages.slice(0, 3), (stage) => stage(desired), { discard: true })
          yield* desired.ownMade(key, destroy, identity)
        }))
    }))

  it.effect("are forgotten when nothing of them is there, but for those that may have been started", () =>
    Effect.gen(function*() {
      for (const reached of stages.keys()) {
        const model = makeModel(new Map(), { history: false })
        const forgot = yield* withJournal(model, (desired) =>
          Effect.zipRight(
            Effect.forEach(stages.slice(0, reached + 1), (stage) => stage(desired), { discard: true }),
            Effect.either(desired.forgotten(key))
          ))
        expect(Either.isRight(forgot)).toBe(reached < 3)
        expect((yield* withJournal(model, ({ guests }) => guests)).length).toBe(reached < 3 ? 0 : 1)
      }
    }))
})

/** Only reads, as a command beside the daemon does. */
const looked = (read: Effect.Effect<Option.Option<Uint8Array>, DurableFileError>) =>
  Effect.provide(readJournal("/state/"), Layer.mock(DurableFile, { read: () => read }))

describe("the journal, read by somebody who may not change it", () => {
  it.effect("shows what counts and what was made, also while the daemon writes to it", () =>
    Effect.gen(function*() {
      const model = makeModel()
      yield* withJournal(model, (desired) =>
        Effect.zipRight(desired.begun(start), Effect.forEach(stages.slice(0, 2), (stage) => stage(desired))))
      const bytes = model.present().get("/state/journal.log") ?? new Uint8Array()
      const whole = yield* looked(Effect.succeedSome(bytes))
      expect([...whole.pursuit.counts.touched.keys()]).toEqual([start.count.touched])
      expect(whole.makings.get(key)).toMatchObject({ stage: "called" })
      const harmed = bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))
      expect(yield* Effect.flip(looked(Effect.succeedSome(harmed)))).toMatchObject({ detail: "it is damaged" })
      const last = bytes.findLastIndex((byte) =>
        byte !== 0
      )
      const cut = yield* looked(Effect.succeedSome(bytes.slice(0, last - 3)))
      expect(cut.makings.get(key)).toMatchObject({ stage: "chosen" })
    }))

  it.effect("is empty before there is one, and says so where it can't be read", () =>
    Effect.gen(function*() {
      expect((yield* looked(Effect.succeedNone)).ops.size).toBe(0)
      const failure = new DurableFileError({
        operation: "read",
        path: "/state/journal.log",
        code: "EACCES",
        detail: "EACCES"
      })
      expect(yield* Effect.flip(looked(Effect.fail(failure)))).toMatchObject({ reason: "unreadable", detail: "EACCES" })
      for (const bytes of [new Uint8Array(), new TextEncoder().encode("felhom-log-v1\n\0\0")]) {
        const error = yield* Effect.flip(looked(Effect.succeedSome(bytes)))
        expect(error).toMatchObject({ reason: "unreadable", detail: "it is damaged" })
      }
    }))
})
