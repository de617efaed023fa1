import { Crypto } from "@felhom/domain/port/Crypto"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import type { Section } from "@felhom/domain/Section"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as Observer from "@felhom/reconciler/Observer"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Fiber, Layer, Option, Redacted, TestClock } from "effect"

const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

const crypto = Layer.succeed(Crypto, {
  sha256: (data) => Effect.succeed(Sha256Hex.make(String(data.length).padStart(64, "0"))),
  randomHex: () => Effect.succeed("00")
})

const sensors = Layer.mock(Privileged, {
  smart: () => Effect.succeed({ action: "sensors", temperatures: [{ sensor: "cpu", celsius: 41 }] })
})

export const noSensors = Layer.mock(Privileged, {
  smart: () => new PrivilegedError({ verb: "smart", reason: "unavailable", detail: "no helper" })
})

export interface HostOptions {
  readonly token?: string
  readonly presented?: string
  readonly privileges?: ReadonlyArray<string>
  readonly root?: Layer.Layer<Privileged>
}

export const host = (options: HostOptions = {}) => {
  const tokenId = TokenId.make(options.token ?? "felhom-agent@pve!agent")
  const sim = PveSim.layer({
    secrets: { [tokenId]: secret },
    roles: { FelhomAgent: options.privileges ?? agentPrivileges }
  })
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(node),
      tokenId,
      secret: Redacted.make(options.presented ?? secret)
    }))
  )
  return Observer.layer.pipe(
    Layer.provideMerge(Layer.provide(ProxmoxClient.layer, Layer.merge(InProcessFront.layer, config))),
    Layer.provide(Layer.merge(crypto, options.root ?? sensors)),
    Layer.provideMerge(sim)
  )
}

/** One look, while the simulated host's time passes. */
export const look = Effect.gen(function*() {
  const observer = yield* Observer.Observer
  const fiber = yield* Effect.fork(observer.observe)
  yield* Effect.repeat(TestClock.adjust("100 millis"), { until: () => Effect.map(Fiber.poll(fiber), Option.isSome) })
  return yield* Fiber.join(fiber)
})

/** The requests since the last time it was asked, by path without the API's prefix. */
export const makeCounter = Effect.map(PveSim, (sim) => {
  let before = new Map<string, number>()
  return Effect.map(sim.requests, (all) => {
    const now = new Map(all.map(({ count, method, path }) => [`${method} ${path.replace("/api2/json", "")}`, count]))
    const fresh = [...now].flatMap(([key, count]) => Array.from({ length: count - (before.get(key) ?? 0) }, () => key))
    before = now
    return fresh
  })
})

export const valueOf = <A>(section: Section<A>): A => {
  if (section.state !== "ok") throw new Error(`the section is not there: ${section.reason}`)
  return section.value
}

export const reasonOf = (section: Section<unknown>): string => (section.state === "ok" ? "" : section.reason)
