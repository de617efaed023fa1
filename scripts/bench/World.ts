import type { HttpClient } from "@effect/platform"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import * as StateFile from "@felhom/durable/StateFile"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Layer, Option, Redacted, Ref } from "effect"

const tokenId = TokenId.make("felhom-agent@pve!agent")
const secret = "11111111-2222-3333-4444-555555555555"

const config = Layer.effect(
  ProxmoxConfig,
  Effect.map(PveSim, ({ node }) => ({
    url: new URL("https://simulated.invalid:8006"),
    node: NodeName.make(node),
    tokenId,
    secret: Redacted.make(secret)
  }))
)

/** A root side that is not installed. */
export const noRoot = Layer.mock(Privileged, {
  smart: () => new PrivilegedError({ verb: "smart", reason: "unavailable", detail: "no helper in this bench" })
})

/** Files that forget: a cycle's cost on a disk is measured by other figures. */
const memoryFile = Layer.effect(
  DurableFile,
  Effect.map(Ref.make(new Map<string, Uint8Array>()), (files) => ({
    read: (path) => Effect.map(Ref.get(files), (all) => Option.fromNullable(all.get(path))),
    replace: (path, content) => Ref.update(files, (all) => new Map(all).set(path, content))
  }))
)

const http: Layer.Layer<HttpClient.HttpClient, never, PveSim> = InProcessFront.layer

/** The daemon's state, kept nowhere. */
export const memoryState = Layer.orDie(Layer.provide(StateFile.layer("/state"), memoryFile))

/** A simulated host in the same process, so many times faster than a real one. */
export const simulator = (speed: number): Layer.Layer<PveSim> =>
  PveSim.layer({ speed, secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges } })

/** The agent's way to it. */
export const proxmoxClient: Layer.Layer<ProxmoxClient.ProxmoxClient, never, PveSim> = Layer.provide(
  ProxmoxClient.layer,
  Layer.merge(http, config)
)

/** Both of them. */
export const simulatedHost = (speed: number): Layer.Layer<ProxmoxClient.ProxmoxClient> =>
  Layer.provide(proxmoxClient, simulator(speed))
