import { NonceStore } from "@felhom/durable/NonceStore"
import { Effect, Layer, TestContext } from "effect"
import { crashStates, makeModel, type Model } from "../../../packages/durable/test/ModelFileSystem.ts"
import { makeHost, minutes, onHost, snapshotDelete, tiny } from "../../../packages/reconciler/test/op/SignedHost.ts"
import type { Wrongs } from "../Planted.ts"

/** When the call leaves, its nonce is on the disk, wherever the power is cut. */
export const wrongs: Wrongs = Effect.gen(function*() {
  const host = yield* makeHost
  yield* host.sim.change({ _tag: "guest.snapshot", vmid: tiny.vmid, name: "before", description: "" })
  const nonce = "c".repeat(32)
  const model = makeModel()
  let moment: Model["moments"][number] | undefined
  const agent = yield* host.boot(new Map(), {
    model,
    proxmox: host.proxmoxThrough((request) => {
      if (request.method === "DELETE") moment = model.moments.at(-1)
      return host.sim.handle(request)
    })
  })
  yield* agent.fromHub(yield* host.signed(agent, yield* snapshotDelete(host, tiny, "before"), { nonce }))
  yield* minutes(2)
  yield* agent.kill
  if (moment === undefined) return ["the op was not done"]
  const found: Array<string> = []
  for (const disk of crashStates(moment)) {
    const left = yield* host.boot(disk)
    const spent = yield* left.run(Effect.flatMap(NonceStore, (store) => store.isSpent(nonce)))
    if (!spent) found.push("the call has left, and its nonce can be used again")
    yield* left.kill
  }
  return found
}).pipe(Effect.provide(Layer.provideMerge(onHost, TestContext.TestContext)), Effect.orDie)
