import { describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { passing } from "../make/MakeHost.ts"
import { makeHost } from "../op/SignedHost.ts"
import { stuckFrom } from "../op/StuckDisk.ts"
import { archives, builder, built, freshGuests, name, onHost, orderFor } from "./GoldenHost.ts"

/** Longer than a build takes. */
const longEnough = Effect.repeatN(TestClock.adjust("2 seconds"), 20)

const stepsOfOne = Effect.gen(function*() {
  const host = yield* makeHost
  const agent = yield* host.boot()
  expect(yield* built(agent)).toMatchObject({ stage: "done" })
  return agent.model.steps()
}).pipe(Effect.provide(onHost))

describe("a crash at any step of the disk while a golden image is built", () => {
  it.effect(
    "leads to one image, or to nothing, and never to a second start or a second archive",
    () =>
      Effect.gen(function*() {
        const steps = yield* stepsOfOne
        expect(steps).toBeGreaterThan(30)
        const ends = new Map<string, number>()
        for (let step = 0; step < steps; step += 1) {
          yield* Effect.gen(function*() {
            const host = yield* makeHost
            const model = makeModel()
            const cut = yield* host.boot(undefined, { model, files: stuckFrom(model, step) })
            yield* Effect.forkDaemon(builder(cut, ({ build }) => build(orderFor())))
            yield* longEnough
            // A write that never ends is not waited for.
            yield* Effect.forkDaemon(cut.kill)
            const agent = yield* host.boot(model.present())
            yield* passing(builder(agent, ({ recover }) => recover))
            yield* passing(builder(agent, ({ quiet }) => quiet))
            const [build] = yield* builder(agent, ({ all }) => all)
            const guests = yield* freshGuests(host)
            const written = yield* archives(host)
            const stage = build?.stage ?? "none"
            ends.set(stage, (ends.get(stage) ?? 0) + 1)
            expect([step, stage]).toEqual([step, expect.stringMatching(/^(?:none|done|failed)$/)])
            // What is there and was made by half is on record, with what to do.
            if (guests.length > 0) {
              expect([step, build?.said]).toEqual([step, expect.stringContaining("may not be ours")])
            }
            if (stage === "done") {
              expect([step, written.length, build?.draft?.length ?? 0]).toEqual([step, 1, expect.any(Number)])
            } else expect([step, guests, written]).toEqual([step, [], []])
            if (stage === "failed") {
              expect([step, build?.said]).toEqual([
                step,
                expect.stringMatching(/or just as it did; look at CT \d+ on the host$/)
              ])
            }
            const writes = yield* host.writes
            for (const once of ["/status/start", "/vzdump"]) {
              expect([
                step,
                writes.filter((one) => one.endsWith(once)).length <= 1
              ]).toEqual([step, true])
            }
            yield* agent.kill
          }).pipe(Effect.provide(onHost))
        }
        expect([...ends.keys()].sort()).toEqual(["done", "failed", "none"])
      }),
    300_000
  )

  it.effect("leaves nothing of a build that is discarded", () =>
    Effect.gen(function*() {
      const steps = yield* stepsOfOne
      // Every third is enough to come by each stage.
      for (let step = 0; step < steps; step += 3) {
        yield* Effect.gen(function*() {
          const host = yield* makeHost
          const model = makeModel()
          const cut = yield* host.boot(undefined, { model, files: stuckFrom(model, step) })
          yield* Effect.forkDaemon(builder(cut, ({ build }) => build(orderFor())))
          yield* longEnough
          // A write that never ends is not waited for.
          yield* Effect.forkDaemon(cut.kill)
          const agent = yield* host.boot(model.present())
          const said = yield* passing(
            Effect.merge(Effect.mapError(builder(agent, ({ discard }) => discard(name)), ({ message }) => message))
          )
          const record = yield* builder(agent, ({ all }) => all)
          const guests = yield* freshGuests(host)
          // One whose making no record proves stays, as does one whose removal may have been done already.
          if (guests.length > 0) {
            expect([step, said]).toEqual([
              step,
              expect.stringMatching(/^the build of debian-13 is forgotten$|may not be ours/)
            ])
          } else expect([step, record]).toEqual([step, []])
          yield* agent.kill
        }).pipe(Effect.provide(onHost))
      }
    }), 180_000)
})

describe("a call that gets no answer", () => {
  for (
    const [what, path] of [
      ["the start", "/status/start"],
      ["the backup", "/vzdump"]
    ] as const
  ) {
    for (const carriedOut of [true, false]) {
      it.effect(
        `${what}, ${
          carriedOut
            ? "is found by its task, and not made again"
            : "that was not carried out is made after the restart, once"
        }`,
        () =>
          Effect.gen(function*() {
            const host = yield* makeHost
            const cut = yield* host.boot(undefined, {
              proxmox: host.proxmoxThrough((request) =>
                request.method === "POST" && request.path.endsWith(path)
                  ? Effect.zipRight(carriedOut ? host.sim.handle(request) : Effect.void, Effect.never)
                  : host.sim.handle(request)
              )
            })
            yield* Effect.forkDaemon(builder(cut, ({ build }) => build(orderFor())))
            yield* longEnough
            // A write that never ends is not waited for.
            yield* Effect.forkDaemon(cut.kill)
            const agent = yield* host.boot(cut.model.present())
            yield* passing(builder(agent, ({ recover }) => recover))
            yield* passing(builder(agent, ({ quiet }) => quiet))
            expect(yield* builder(agent, ({ all }) => all)).toMatchObject([{ stage: "done" }])
            expect((yield* host.writes).filter((one) => one.endsWith(path))).toHaveLength(1)
            expect(yield* archives(host)).toHaveLength(1)
          }).pipe(Effect.provide(onHost))
      )
    }
  }
})
