import { describe, it } from "@effect/vitest"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { makeGuest } from "@felhom/reconciler/make/Making"
import { Effect, Fiber, TestClock } from "effect"
import { expect } from "vitest"
import { makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { stuckFrom } from "../op/StuckDisk.ts"
import { anyImage, boot, onHost, passing, policy, stepFor, writes } from "./MakeHost.ts"

/** Longer than it takes to make a guest and to see it running. */
const longEnough = Effect.repeatN(TestClock.adjust("1 second"), 20)

/** All guests of the host that were not there at first. */
const fresh = (agent: Effect.Effect.Success<ReturnType<typeof boot>>) =>
  Effect.map(
    passing(agent.client.guests("lxc")),
    ({ rows }) =>
      rows.map(({ status, vmid }) => ({ status, vmid })).filter(({ vmid }) => ![101, 102, 9999].includes(vmid))
  )

const uncut = Effect.gen(function*() {
  const agent = yield* boot()
  const end = yield* agent.make(stepFor("golden"))
  expect(end.end).toBe("finished")
  return agent.model.steps()
}).pipe(Effect.provide(onHost()))

describe("a crash at any step of the disk", () => {
  it.effect("leads to one guest, made and proven, whenever it was", () =>
    Effect.gen(function*() {
      const steps = yield* uncut
      expect(steps).toBeGreaterThan(5)
      for (let step = 0; step < steps; step += 1) {
        yield* Effect.gen(function*() {
          const model = makeModel()
          const cut = yield* boot({ model, files: stuckFrom(model, step) })
          yield* Effect.forkDaemon(cut.run(makeGuest(stepFor("golden"), { policy, start: true, image: anyImage })))
          yield* longEnough
          yield* cut.kill
          const agent = yield* boot({ disk: model.present() })
          const end = yield* agent.make(stepFor("golden"))
          expect([step, end.end, end.ref?.vmid]).toEqual([step, "finished", 111])
          expect(yield* fresh(agent)).toEqual([{ vmid: 111, status: "running" }])
          expect((yield* writes).filter((one) => one === "POST /lxc")).toHaveLength(1)
          yield* agent.kill
        }).pipe(Effect.provide(onHost()))
      }
    }), 120_000)

  it.effect("leads to no second guest where its step is gone by then", () =>
    Effect.gen(function*() {
      const steps = yield* uncut
      const ends = new Set<string>()
      for (let step = 0; step < steps; step += 1) {
        yield* Effect.gen(function*() {
          const model = makeModel()
          const cut = yield* boot({ model, files: stuckFrom(model, step) })
          yield* Effect.forkDaemon(cut.run(makeGuest(stepFor("golden"), { policy, start: true, image: anyImage })))
          yield* longEnough
          yield* cut.kill
          const agent = yield* boot({ disk: model.present() })
          const end = yield* agent.resume()
          const guests = yield* fresh(agent)
          expect(guests).toEqual(end.end === "finished" ? [{ vmid: 111, status: "running" }] : [])
          expect((yield* writes).filter((one) => one === "POST /lxc").length).toBeLessThanOrEqual(1)
          ends.add(end.end)
          yield* agent.kill
        }).pipe(Effect.provide(onHost()))
      }
      expect([...ends].sort()).toEqual(["failed", "finished"])
    }), 120_000)

  it.effect(
    "while an empty guest is removed again leaves none that the record does not name",
    () =>
      Effect.gen(function*() {
        const spoilt = (model = makeModel(), step = Number.POSITIVE_INFINITY) =>
          Effect.gen(function*() {
            const sim = yield* PveSim
            return yield* boot({
              model,
              files: stuckFrom(model, step),
              handle: (handle) => (request) =>
                request.method === "POST" && request.path.endsWith("/lxc")
                  ? Effect.zipRight(
                    Effect.orDie(sim.change({ _tag: "storage.avail", storage: "local", bytes: 0 })),
                    handle(request)
                  )
                  : handle(request)
            })
          })
        const order = stepFor("golden", { storage: "local" })
        const steps = yield* Effect.gen(function*() {
          const agent = yield* spoilt()
          expect((yield* agent.make(order)).end).toBe("failed")
          return agent.model.steps()
        }).pipe(Effect.provide(onHost()))
        for (let step = 0; step < steps; step += 1) {
          yield* Effect.gen(function*() {
            const model = makeModel()
            const cut = yield* spoilt(model, step)
            yield* Effect.forkDaemon(cut.run(makeGuest(order, { policy, start: true, image: anyImage })))
            yield* longEnough
            yield* cut.kill
            const agent = yield* boot({ disk: model.present() })
            yield* agent.resume()
            const left = yield* fresh(agent)
            const record = yield* agent.record
            // What the journal does not know is not there, and what is there was never started.
            if (left.length > 0) expect(record?.guest.vmid).toBe(left[0]?.vmid)
            expect(left.every(({ status }) => status === "stopped")).toBe(true)
            expect((yield* writes).filter((one) => one.endsWith("/status/start"))).toEqual([])
            yield* agent.kill
          }).pipe(Effect.provide(onHost()))
        }
      }),
    120_000
  )
})

describe("a crash while the call is on its way", () => {
  for (const carriedOut of [true, false]) {
    it.effect(
      carriedOut ? "finds its task, and follows that" : "finds that nothing was begun, and begins it",
      () =>
        Effect.gen(function*() {
          const cut = yield* boot({
            handle: (handle) => (request) =>
              request.method === "GET"
                ? handle(request)
                : Effect.zipRight(carriedOut ? handle(request) : Effect.void, Effect.never)
          })
          const fiber = yield* Effect.forkDaemon(
            cut.run(makeGuest(stepFor("golden"), { policy, start: true, image: anyImage }))
          )
          yield* longEnough
          yield* Fiber.interrupt(fiber)
          yield* cut.kill
          const agent = yield* boot({ disk: cut.model.present() })
          expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished", ref: { vmid: 111 } })
          expect((yield* writes).filter((one) => one === "POST /lxc")).toHaveLength(1)
        }).pipe(Effect.provide(onHost()))
    )
  }

  it.effect("that comes through late, after the next one was asked for, leads to one guest all the same", () =>
    Effect.gen(function*() {
      let late: Effect.Effect<unknown> = Effect.void
      const cut = yield* boot({
        handle: (handle) => (request) => {
          if (request.method === "GET") return handle(request)
          late = handle(request)
          return Effect.never
        }
      })
      const fiber = yield* Effect.forkDaemon(
        cut.run(makeGuest(stepFor("golden"), { policy, start: true, image: anyImage }))
      )
      yield* longEnough
      yield* Fiber.interrupt(fiber)
      yield* cut.kill
      const agent = yield* boot({
        disk: cut.model.present(),
        handle: (handle) => (request) => {
          const first = request.method === "POST" && request.path.endsWith("/lxc") ? late : Effect.void
          return Effect.zipRight(first, handle(request))
        }
      })
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished", ref: { vmid: 111 } })
      expect(yield* fresh(agent)).toEqual([{ vmid: 111, status: "running" }])
    }).pipe(Effect.provide(onHost())))
})

it.effect("after a crash its image may be gone, and what was begun is finished all the same", () =>
  Effect.gen(function*() {
    const cut = yield* boot()
    const fiber = yield* Effect.forkDaemon(
      cut.run(makeGuest(stepFor("golden"), { policy, start: true, image: anyImage }))
    )
    yield* Effect.repeat(TestClock.adjust("100 millis"), {
      until: () => Effect.map(cut.record, (record) => record?.stage === "half-made" || record?.stage === "starting")
    })
    yield* Fiber.interrupt(fiber)
    yield* cut.kill
    const sim = yield* PveSim
    yield* sim.change({ _tag: "file.remove", path: "local:backup/vzdump-lxc-900-2026_01_01-00_00_00.tar.zst" })
    const agent = yield* boot({ disk: cut.model.present() })
    expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished", ref: { vmid: 111 } })
  }).pipe(Effect.provide(onHost())))
