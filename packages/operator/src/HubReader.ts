import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostId } from "@felhom/domain/HostId"
import { type HostDetail, type HostSummary, HubApi } from "@felhom/domain/HubApi"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Layer } from "effect"
import type { Connection } from "./Connection.ts"
import { OperatorError } from "./OperatorError.ts"

/** What an operator asks of the hub. Every failure is one sentence. */
export class HubReader extends Context.Tag("felhom/operator/HubReader")<HubReader, {
  /** All hosts, those that need attention first. */
  readonly hosts: Effect.Effect<ReadonlyArray<HostSummary>, OperatorError>
  readonly host: (id: HostId) => Effect.Effect<HostDetail, OperatorError>
  /** Up to `limit` events with a number above `after`, ascending. */
  readonly events: (id: HostId, after: number, limit: number) => Effect.Effect<ReadonlyArray<HostEvent>, OperatorError>
}>() {}

const timeout = "30 seconds"

const make = (connection: Connection) =>
  Effect.gen(function*() {
    const api = yield* HttpApiClient.make(HubApi, {
      baseUrl: connection.url.href.replace(/\/+$/, ""),
      transformClient: (client) =>
        client.pipe(
          HttpClient.withTracerPropagation(false),
          HttpClient.mapRequest(HttpClientRequest.bearerToken(connection.token))
        )
    })
    const failed = (detail: string): OperatorError =>
      new OperatorError({ reason: "hub", detail: `hub ${connection.url.origin}: ${detail}` })

    const asked = <A, E extends { readonly _tag: string; readonly message: string }>(answer: Effect.Effect<A, E>) =>
      answer.pipe(
        Effect.mapError((error) => failed(sentence(error))),
        Effect.timeoutFail({ duration: timeout, onTimeout: () => failed(`gave no answer within ${timeout}`) })
      )

    return HubReader.of({
      hosts: asked(api.hosts.list()),
      host: (id) => asked(api.hosts.get({ path: { hostId: id } })),
      events: (id, after, limit) => asked(api.hosts.events({ path: { hostId: id }, urlParams: { after, limit } }))
    })
  })

const sentence = (error: { readonly _tag: string; readonly message: string }): string => {
  const mismatch = pinMismatchOf(error)
  if (mismatch !== undefined) return mismatch.message
  switch (error._tag) {
    case "RequestError":
      return `cannot be reached: ${causeOf(error) ?? error.message}`
    case "ResponseError":
    case "ParseError":
      return `its answer is not a hub's: ${error.message}`
    case "HubUnauthorized":
      return `${error.message} (FELHOM_TOKEN, --token-file)`
    default:
      return error.message
  }
}

const causeOf = (error: object): string | undefined =>
  "cause" in error && error.cause instanceof Error ? error.cause.message : undefined

/** Asks the pinned hub; nothing is sent to a peer that shows another certificate. */
export const layer = (connection: Connection): Layer.Layer<HubReader> =>
  Layer.effect(HubReader, make(connection)).pipe(
    Layer.provide(pinnedHttp({ peer: connection.url.host, pins: connection.pins }))
  )
