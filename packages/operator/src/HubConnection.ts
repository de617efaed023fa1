import { HttpApiClient, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { HubApi } from "@felhom/domain/HubApi"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { type Duration, Effect } from "effect"
import type { Connection } from "./Connection.ts"
import { OperatorError } from "./OperatorError.ts"

const usualTimeout = "30 seconds"

/**
 * A 404 in our own words is about a host; any other says that the hub has no such address: it is of another version. A body can
 * be read once, so what was read here is handed on as an answer of its own.
 */
const ofKnownAddress = (response: HttpClientResponse.HttpClientResponse) =>
  response.status === 404
    ? Effect.flatMap(response.text, (text) =>
      text.includes("\"HubNotFound\"")
        ? Effect.succeed(
          HttpClientResponse.fromWeb(response.request, new Response(text, { status: 404, headers: response.headers }))
        )
        : new HttpClientError.ResponseError({ request: response.request, response, reason: "StatusCode" }))
    : Effect.succeed(response)

/** Whether the hub answered that it has no such address. */
export const isUnknownAddress = (error: object): boolean =>
  error instanceof HttpClientError.ResponseError && error.reason === "StatusCode" && error.response.status === 404

/** The hub's API as a client that is pinned to it, and what turns every failure into one sentence. */
export const hubConnection = (connection: Connection) =>
  Effect.gen(function*() {
    const api = yield* HttpApiClient.make(HubApi, {
      baseUrl: connection.url.href.replace(/\/+$/, ""),
      transformClient: (client) =>
        client.pipe(
          HttpClient.withTracerPropagation(false),
          HttpClient.mapRequest(HttpClientRequest.bearerToken(connection.token)),
          HttpClient.transformResponse(Effect.flatMap(ofKnownAddress))
        )
    })
    const failed = (detail: string): OperatorError =>
      new OperatorError({ reason: "hub", detail: `hub ${connection.url.origin}: ${detail}` })

    const asked = <A, E extends { readonly _tag: string; readonly message: string }>(
      answer: Effect.Effect<A, E>,
      timeout: Duration.DurationInput & string = usualTimeout
    ) =>
      answer.pipe(
        Effect.mapError((error) => failed(sentence(error))),
        Effect.timeoutFail({ duration: timeout, onTimeout: () => failed(`gave no answer within ${timeout}`) })
      )

    return { api, asked }
  })

const sentence = (error: { readonly _tag: string; readonly message: string }): string => {
  const mismatch = pinMismatchOf(error)
  if (mismatch !== undefined) return mismatch.message
  switch (error._tag) {
    case "RequestError":
      return `cannot be reached: ${causeOf(error) ?? error.message}`
    case "ResponseError":
    case "ParseError":
      if (isUnknownAddress(error)) return "it does not know what was asked (404): is it older than this felhom?"
      return `its answer is not a hub's: ${error.message}`
    case "HubUnauthorized":
      return `${error.message} (FELHOM_TOKEN, --token-file)`
    default:
      return error.message
  }
}

const causeOf = (error: object): string | undefined =>
  "cause" in error && error.cause instanceof Error ? error.cause.message : undefined
