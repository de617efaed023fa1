import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { Mandate } from "@felhom/mandate/Mandate"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Fiber, Layer, Redacted, TestClock } from "effect"

const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
const tokenId = TokenId.make("felhom-agent@pve!agent")

// The privileges of platform-facts 2.2.
const sixteen = [
  ...["Allocate", "Audit", "Backup", "PowerMgmt", "Snapshot", "Snapshot.Rollback"].map((name) => `VM.${name}`),
  ...["CPU", "Disk", "Memory", "Network", "Options"].map((name) => `VM.Config.${name}`),
  ...["Allocate", "AllocateSpace", "Audit"].map((name) => `Datastore.${name}`),
  "Sys.Audit",
  "SDN.Use"
]

/** The recorded host, simulated, as its agent's token sees it. */
export const host = (presented = secret) => {
  const sim = PveSim.layer({ secrets: { [tokenId]: secret }, roles: { FelhomAgent: sixteen } })
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(node),
      tokenId,
      secret: Redacted.make(presented)
    }))
  )
  const client = Layer.provide(ProxmoxClient.layer, Layer.merge(InProcessFront.layer, config))
  return TaskWaiter.layer.pipe(Layer.provideMerge(client), Layer.provideMerge(sim), Layer.merge(Mandate.mintLayer))
}

/** Runs it while the simulated host's minutes pass. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("2 minutes")
    return yield* Fiber.join(fiber)
  })
