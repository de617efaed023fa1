import { Effect, Layer, TestContext } from "effect"
import { makeHost, minutes, onHost, snapshotDelete, tiny } from "../../../packages/reconciler/test/op/SignedHost.ts"
import type { Wrongs } from "../Planted.ts"

/** What was signed for another host is not done here, as often as a hub sends it. */
export const wrongs: Wrongs = Effect.gen(function*() {
  const host = yield* makeHost
  yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
  const agent = yield* host.boot()
  const op = yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"), { host: "a".repeat(32) })
  yield* agent.fromHub(op, op)
  yield* minutes(2)
  const calls = yield* host.writes
  yield* agent.kill
  return calls.map((call) => `an op for another host led to ${call}`)
}).pipe(Effect.provide(Layer.provideMerge(onHost, TestContext.TestContext)), Effect.orDie)
