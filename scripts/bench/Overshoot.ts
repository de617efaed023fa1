import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { Clock, Effect, Fiber, Layer, Option, TestClock, TestContext } from "effect"
import type { Figure } from "./Figure.ts"

const upid = Upid.make("UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:101:felhom-agent@pve!agent:")

/** A host with one task, which ends so many milliseconds after the clock's beginning. */
const hostWith = (endMillis: number) =>
  Layer.mock(ProxmoxClient, {
    node: NodeName.make("demo-felhom"),
    tokenId: TokenId.make("felhom-agent@pve!agent"),
    taskStatus: () =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        now < endMillis
          ? { status: "running" as const, exitstatus: null }
          : { status: "stopped" as const, exitstatus: "OK" })
  })

/** How finely a task is looked at: a test clock's steps are dear. */
const stepOf = (durationMillis: number): number => Math.max(10, Math.round(durationMillis / 300))

/** How much later than its end a task is seen to have ended. The clock is a virtual one, so the truth is known exactly. */
const overshootOf = (durationMillis: number): Effect.Effect<number> =>
  Effect.gen(function*() {
    const waiter = yield* TaskWaiter.TaskWaiter
    const seen = yield* Effect.fork(Effect.zipRight(waiter.wait(upid), Clock.currentTimeMillis))
    yield* Effect.repeat(TestClock.adjust(stepOf(durationMillis)), {
      until: () => Effect.map(Fiber.poll(seen), Option.isSome)
    })
    return (yield* Fiber.join(seen)) - durationMillis
  }).pipe(
    Effect.orDie,
    Effect.provide(Layer.merge(Layer.provide(TaskWaiter.layer, hostWith(durationMillis)), TestContext.TestContext))
  )

/** The same for one who looks each second. */
const everySecond = (durationMillis: number): number => Math.ceil(durationMillis / 1000) * 1000 - durationMillis

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

// Steps that are no divisor of a second, or of a poll, so that no rule meets the ends by luck.
const short = Array.from({ length: 23 }, (_, index) => 1013 + index * 173)
const long = [110, 470, 890, 7_310, 13_770, 29_510, 61_130]

/** How exactly the end of a task is seen. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const overshoots = new Map<number, number>()
  for (const millis of [...short, ...long]) overshoots.set(millis, await Effect.runPromise(overshootOf(millis)))
  const allowed = (millis: number): number => Math.min(5000, 0.12 * millis + 120)
  const worst = Math.max(...[...overshoots].map(([millis, overshoot]) => overshoot / allowed(millis)))
  const ours = mean(short.map((millis) => overshoots.get(millis) ?? Number.NaN))
  const fixed = mean(short.map(everySecond))
  return [
    {
      id: "B3a",
      name: "the worst overshoot at a task's end / 12 % of the task + 120 ms, at most 5 s",
      value: worst,
      unit: "x",
      gate: 1,
      goal: null,
      detail: `${overshoots.size} tasks of 0.1 to 61 s on a virtual clock`
    },
    {
      id: "B3b",
      name: "mean overshoot on tasks of 1 to 5 s / looking each second",
      value: ours / fixed,
      unit: "x",
      gate: 1,
      goal: 0.35,
      detail: `${ours.toFixed(0)} ms / ${fixed.toFixed(0)} ms`
    }
  ]
}
