import { HttpClient, HttpClientResponse } from "@effect/platform"
import * as Checklist from "@felhom/agent/selftest/Checklist"
import { NodeName, TokenId, Vmid } from "@felhom/domain/ProxmoxId"
import * as OpJournal from "@felhom/durable/OpJournal"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as Observer from "@felhom/reconciler/Observer"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Fiber, Layer, Option, Redacted, TestClock } from "effect"

export const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

/** The recorded host's guests: a stopped container with snapshots, one on a directory storage, one with a bind mount, a VM. */
export const guest = {
  tiny: Vmid.make(9999),
  onDirectory: Vmid.make(101),
  bindMount: Vmid.make(102),
  machine: Vmid.make(200)
}

/** Changes an answer on its way to the client. */
export type Tamper = (path: string, body: string) => string

/** What is answered instead, as `data`, whether the simulator knows the path or not; undefined where it answers for itself. */
export type Instead = (path: string) => unknown

const tampered = (tamper: Tamper, instead: Instead): Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      HttpClient.HttpClient,
      HttpClient.transform((answer, request) =>
        Effect.gen(function*() {
          const response = yield* answer
          const body = yield* Effect.orElseSucceed(response.text, () => "")
          const path = decodeURIComponent(new URL(request.url).pathname)
          const data = instead(path)
          if (data !== undefined) return HttpClientResponse.fromWeb(request, new Response(JSON.stringify({ data })))
          return HttpClientResponse.fromWeb(
            request,
            new Response(tamper(path, body), { status: response.status, headers: response.headers })
          )
        })
      )
    )
  )

/** A root side that is not installed. */
const noRoot = Layer.mock(Privileged, {
  smart: () => new PrivilegedError({ verb: "smart", reason: "unavailable", detail: "no helper in this test" })
})

export interface HostOptions {
  readonly tokenId?: string
  readonly presented?: string
  readonly node?: string
  readonly privileges?: ReadonlyArray<string>
  readonly tamper?: Tamper
  readonly instead?: Instead
}

/** The simulated host with all that a selftest needs around it. */
export const host = (options: HostOptions = {}) => {
  const tokenId = TokenId.make(options.tokenId ?? "felhom-agent@pve!agent")
  const sim = PveSim.layer({
    secrets: { [tokenId]: secret },
    roles: { FelhomAgent: options.privileges ?? agentPrivileges }
  })
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(options.node ?? node),
      tokenId,
      secret: Redacted.make(options.presented ?? secret)
    }))
  )
  const http = options.tamper === undefined && options.instead === undefined
    ? InProcessFront.layer
    : Layer.provide(
      tampered(options.tamper ?? ((_, body) => body), options.instead ?? (() => undefined)),
      InProcessFront.layer
    )
  const journal = Layer.provide(OpJournal.layerMemory, Mandate.mintLayer)
  return Layer.mergeAll(TaskWaiter.layer, Observer.layer).pipe(
    Layer.provideMerge(Layer.provide(ProxmoxClient.layer, Layer.merge(http, config))),
    Layer.provideMerge(Layer.mergeAll(sim, NodeCrypto.layer, noRoot, journal, Checklist.layer("json")))
  )
}

/** Runs it while the simulated host's time passes, a second at a time, for as long as it takes. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    const ended = Effect.map(Fiber.poll(fiber), Option.isSome)
    yield* Effect.repeat(TestClock.adjust("1 second"), { until: () => ended })
    return yield* Fiber.join(fiber)
  })

/** Runs a selftest and gives its steps as `outcome name: detail`. */
export const stepsOf = <E, R>(selftest: Effect.Effect<unknown, E, R>) =>
  passing(
    Effect.gen(function*() {
      yield* Effect.ignore(selftest)
      const list = yield* Checklist.Checklist
      return (yield* list.checks).map(({ detail, name, outcome }) => `${outcome} ${name}: ${detail}`)
    })
  )
