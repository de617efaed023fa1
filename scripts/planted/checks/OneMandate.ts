import { NodeName, TokenId, Vmid } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { type Destruction, Mandate, MandateMint } from "@felhom/mandate/Mandate"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Layer, Redacted } from "effect"
import type { Wrongs } from "../Planted.ts"

const tokenId = TokenId.make("felhom-agent@pve!agent")
const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
const stop = { op: "guest.stop_hard", guest: { type: "lxc", vmid: Vmid.make(9999) } } as const satisfies Destruction

const client = Layer.unwrapEffect(Effect.map(PveSim, ({ node }) =>
  ProxmoxClient.layer.pipe(
    Layer.provide(InProcessFront.layer),
    Layer.provide(
      Layer.succeed(ProxmoxConfig, {
        url: new URL("https://demo.example:8006"),
        node: NodeName.make(node),
        tokenId,
        secret: Redacted.make(secret)
      })
    )
  )))

/** One mandate leads to one call, whoever shows it again. */
export const wrongs: Wrongs = Effect.gen(function*() {
  const sim = yield* PveSim
  const proxmox = yield* ProxmoxClient.ProxmoxClient
  const mint = yield* MandateMint
  yield* sim.change({ _tag: "guest.status", vmid: stop.guest.vmid, status: "running" })
  const mandate = yield* mint.signed(stop, { payload: Sha256Hex.make("0".repeat(64)), principals: ["anna"] })
  yield* proxmox.stopHard(stop.guest, mandate)
  yield* Effect.ignore(proxmox.stopHard(stop.guest, mandate))
  const calls = (yield* sim.requests).filter(({ method }) => method === "POST").reduce(
    (sum, { count }) => sum + count,
    0
  )
  return calls === 1 ? [] : [`one mandate led to ${calls} calls`]
}).pipe(
  Effect.orDie,
  Effect.provide(
    Layer.merge(client, Mandate.mintLayer).pipe(
      Layer.provideMerge(
        PveSim.layer({ speed: 1000, secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges } })
      )
    )
  )
)
