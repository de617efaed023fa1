import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { Effect, Fiber, Layer } from "effect"
import type { Figure } from "./Figure.ts"
import { simulatedHost } from "./World.ts"

/** How long the simulated host works on a snapshot at speed 1. Only how its tasks are made longer depends on it, not what is measured. */
const snapshotMillis = 260

const guest: GuestRef = { type: "lxc", vmid: Vmid.make(9999) }

interface Seen {
  /** Milliseconds from the task's start to its end, by the host. */
  readonly truth: number
  /** How much later the waiter said so. */
  readonly overshoot: number
}

/** Has the simulated host take a snapshot for about so long, and waits for its end. The truth is known to half a per cent. */
const overshootOf = (durationMillis: number): Effect.Effect<Seen> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient.ProxmoxClient
    const waiter = yield* TaskWaiter.TaskWaiter
    const upid = yield* client.createSnapshot(guest, { name: SnapshotName.make("bench") })
    const began = performance.now()
    const seen = yield* Effect.fork(Effect.map(waiter.wait(upid), () => performance.now()))
    const truth = yield* client.taskStatus(upid).pipe(
      Effect.delay(durationMillis / 200),
      Effect.repeat({ until: ({ status }) => status === "stopped" }),
      Effect.map(() => performance.now())
    )
    return { truth: truth - began, overshoot: Math.max(0, (yield* Fiber.join(seen)) - truth) }
  }).pipe(
    Effect.orDie,
    Effect.provide(Layer.provideMerge(TaskWaiter.layer, simulatedHost(snapshotMillis / durationMillis)))
  )

/** The same for one who looks each second. */
const everySecond = (durationMillis: number): number => Math.ceil(durationMillis / 1000) * 1000 - durationMillis

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

// Steps that are no divisor of a second, or of a poll, so that no rule meets the ends by luck.
const short = Array.from({ length: 23 }, (_, index) => 1013 + index * 173)
const long = [110, 470, 890, 7_310, 13_770, 29_510, 61_130]

/** How exactly the end of a task is seen. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const [ofShort, ofLong] = await Effect.runPromise(
    Effect.all([Effect.forEach(short, overshootOf), Effect.forEach(long, overshootOf, { concurrency: "unbounded" })], {
      concurrency: "unbounded"
    })
  )
  const all = [...ofShort, ...ofLong]
  const allowed = (truth: number): number => Math.min(5000, 0.12 * truth + 120)
  const worst = Math.max(...all.map(({ overshoot, truth }) => overshoot / allowed(truth)))
  const ours = mean(ofShort.map(({ overshoot }) => overshoot))
  const fixed = mean(ofShort.map(({ truth }) => everySecond(truth)))
  return [
    {
      id: "B3a",
      name: "the worst overshoot at a task's end / 12 % of the task + 120 ms, at most 5 s",
      value: worst,
      unit: "x",
      gate: 1,
      goal: null,
      detail: `${all.length} snapshots of 0.1 to 61 s on the simulated host`
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
