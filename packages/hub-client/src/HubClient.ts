import { HttpApiClient, HttpClient, HttpClientError, HttpClientRequest } from "@effect/platform"
import type { Envelope } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { HubApi } from "@felhom/domain/HubApi"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { Context, Effect, Layer, ParseResult, Predicate } from "effect"
import { boundedAnswer } from "./BoundedAnswer.ts"
import { gzipBody } from "./GzipBody.ts"
import { HubClientConfig } from "./HubClientConfig.ts"
import { HubError, type HubReason } from "./HubError.ts"

/** The agent's one exchange with its hub. */
export class HubClient extends Context.Tag("felhom/hub-client/HubClient")<HubClient, {
  /** Sends a report, once, and gives the envelope that answers it. Ends within 30 s. */
  readonly exchange: (report: HostReport) => Effect.Effect<Envelope, HubError>
}>() {}

const answerLimit = "30 seconds"

/** Errors that the API declares, by what they mean to the agent. */
const declared: { readonly [tag: string]: HubReason } = {
  HubUnauthorized: "unauthorized",
  HubForbidden: "forbidden",
  HubBadReport: "rejected",
  HttpApiDecodeError: "rejected",
  HubTooLarge: "too-large",
  HubUnavailable: "unavailable",
  TimeoutException: "unreachable"
}

const wordsOf = (error: unknown): string =>
  Predicate.hasProperty(error, "message") && typeof error.message === "string" ? error.message : String(error)

const reasonOf = (error: unknown): HubReason => {
  if (ParseResult.isParseError(error)) return "malformed"
  if (HttpClientError.isHttpClientError(error)) {
    if (error._tag === "RequestError") return "unreachable"
    if (error.reason !== "StatusCode") return "malformed"
    return error.response.status >= 500 ? "unavailable" : "malformed"
  }
  return Predicate.hasProperty(error, "_tag") ? declared[String(error._tag)] ?? "malformed" : "malformed"
}

const detailOf = (error: unknown): string => {
  if (HttpClientError.isHttpClientError(error)) {
    return error._tag === "RequestError"
      ? wordsOf(error.cause ?? error)
      : error.description ?? `status ${error.response.status}`
  }
  return ParseResult.isParseError(error) ? ParseResult.TreeFormatter.formatErrorSync(error) : wordsOf(error)
}

const make = Effect.gen(function*() {
  const { token, url } = yield* HubClientConfig
  if (url.protocol !== "https:") {
    return yield* Effect.dieMessage(`the hub must be reached over https, not ${url.protocol}`)
  }
  const client = yield* HttpApiClient.endpoint(HubApi, {
    group: "reports",
    endpoint: "report",
    httpClient: (yield* HttpClient.HttpClient).pipe(
      HttpClient.mapRequest(HttpClientRequest.bearerToken(token)),
      HttpClient.mapRequestEffect(gzipBody),
      HttpClient.transformResponse(Effect.flatMap(boundedAnswer)),
      HttpClient.withTracerPropagation(false)
    ),
    baseUrl: url
  })

  const failure = (error: unknown): HubError => {
    const cause = pinMismatchOf(error)
    return cause === undefined
      ? new HubError({ reason: reasonOf(error), hub: url.host, detail: detailOf(error) })
      : new HubError({ reason: "refused-certificate", hub: url.host, detail: cause.message, cause })
  }

  return HubClient.of({
    exchange: (report) =>
      client({ path: { hostId: report.host.id }, payload: report }).pipe(
        Effect.timeout(answerLimit),
        Effect.mapError(failure),
        Effect.filterOrFail(
          (envelope) => envelope.host === report.host.id && envelope.hostEpoch === report.host.epoch,
          (envelope) =>
            new HubError({
              reason: "wrong-host",
              hub: url.host,
              detail: `it names host ${envelope.host}, epoch ${envelope.hostEpoch}`
            })
        )
      )
  })
})

/** Derived from the hub's API declaration, over a client that the caller has pinned to the hub. */
export const layer: Layer.Layer<HubClient, never, HttpClient.HttpClient | HubClientConfig> = Layer.effect(
  HubClient,
  make
).pipe(Layer.ensureRequirementsType<HttpClient.HttpClient | HubClientConfig>())
