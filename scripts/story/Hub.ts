import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import type { HostId } from "@felhom/domain/HostId"
import { HubApi } from "@felhom/domain/HubApi"
import { parsePins } from "@felhom/domain/PeerPin"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { type Cast, readyLine, run, type Running, start } from "./Program.ts"
import { StoryFailed } from "./StoryFailed.ts"

const Ready = Schema.Struct({ url: Schema.String, fingerprint: Schema.String, spki: Schema.String })
type Ready = typeof Ready.Type

/** Starts the hub on a store; `listen` is port 0 the first time and the port it got then afterwards. */
export const startHub = (options: {
  readonly data: string
  readonly listen: string
}): Effect.Effect<Ready & { readonly running: Running }, StoryFailed, Scope.Scope | Cast> =>
  Effect.gen(function*() {
    const running = yield* start({
      name: "the hub",
      bundle: "hub.js",
      args: ["serve", "--listen", options.listen, "--data", options.data, "--report-interval", "5"],
      environment: {},
      printsReady: true
    })
    return { running, ...yield* readyLine(Ready, running) }
  })

/** Makes a token on the hub's own machine, as its owner would. */
export const makeToken = (data: string, role: "admin" | "viewer", label: string): Effect.Effect<string, StoryFailed> =>
  Effect.map(
    run("hub.js", ["token", "create", "--data", data, "--role", role, "--label", label], {}),
    (text) => text.trim()
  )

/** The hub's HTTP API, asked as a viewer. */
export const makeViewer = (hub: Ready, token: string) =>
  Effect.gen(function*() {
    const pins = yield* Effect.mapError(parsePins(hub.fingerprint), ({ message }) => new StoryFailed({ message }))
    const http = yield* Layer.build(PinnedHttp.layer({ peer: new URL(hub.url).host, pins }))
    return yield* HttpApiClient.makeWith(HubApi, {
      baseUrl: hub.url,
      httpClient: HttpClient.mapRequest(
        Context.get(http, HttpClient.HttpClient),
        HttpClientRequest.bearerToken(token)
      )
    })
  })
export type Viewer = Effect.Effect.Success<ReturnType<typeof makeViewer>>

/** Every event of a host that the hub has, in order. */
export const eventsOf = (viewer: Viewer, hostId: HostId) =>
  viewer.hosts.events({ path: { hostId }, urlParams: { after: 0, limit: 1000 } })

/** Whether the numbers run from 1 without a gap. */
export const withoutGap = (events: ReadonlyArray<{ readonly seq: number }>): boolean =>
  events.every((event, index) => event.seq === index + 1)
