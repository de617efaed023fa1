import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { Vmid } from "@felhom/domain/ProxmoxId"
import { Pursuit } from "@felhom/reconciler/pursuit/Pursuit"
import { Effect, Fiber, Option, TestClock } from "effect"
import { type Host, machine, onDirectory, paths, type Running, tiny } from "../op/SignedHost.ts"
import { desired } from "../trust/FleetHost.ts"

export { machine, onDirectory, tiny }

/** A container of the recorded host that runs. */
export const runs: GuestRef = { type: "lxc", vmid: Vmid.make(102) }

export type Wish = { readonly [key: string]: unknown }

/** What is wished for this guest, as an operator's file names it. */
export const wishFor = (host: Host, ref: GuestRef, wish: Wish) =>
  Effect.map(host.shown(ref), ({ identity }) => ({ guest: { type: ref.type, identity }, ...wish }))

/** A desired state for the host, in base64. */
export const state = (version: number, ...guests: ReadonlyArray<unknown>): string =>
  desired(version, { state: { guests }, ...(guests.length === 0 ? { allowEmpty: true } : {}) })

/** Lets the simulated host's time pass until it is over. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>, pace: "100 millis" | "1 second" = "100 millis") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* Effect.repeat(TestClock.adjust(pace), { until: () => Effect.map(Fiber.poll(fiber), Option.isSome) })
    return yield* Fiber.join(fiber)
  })

/** One cycle of the daemon, with all that it begins, and the pause after it. */
export const turn = (agent: Running) =>
  Effect.gen(function*() {
    yield* passing(agent.cycle, "1 second")
    yield* passing(agent.run(Effect.flatMap(Pursuit, ({ quiet }) => quiet)), "1 second")
    yield* TestClock.adjust("30 seconds")
  })

/** Root's policy, with this for desired states. */
export const policy = (host: Host, part: object) =>
  host.put(paths.policy, JSON.stringify({ typ: "felhom/policy/v1", desired: part }))

/** What is told of desired states. */
export const toldBy = (agent: Running): ReadonlyArray<string> =>
  agent.messages().filter((message) => message.startsWith("desired."))
