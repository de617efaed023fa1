import {
  HttpApiClient,
  HttpBody,
  HttpClient,
  HttpClientError,
  HttpClientRequest,
  type HttpClientResponse
} from "@effect/platform"
import { boundedText } from "@felhom/domain/BoundedBody"
import type { Envelope } from "@felhom/domain/Envelope"
import { signatureHeader } from "@felhom/domain/HostKey"
import type { HostReport } from "@felhom/domain/HostReport"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { ReportsApi } from "@felhom/domain/ReportsApi"
import { ConfigError, Context, Effect, Layer, Option, ParseResult, Schema } from "effect"
import { HubClientConfig } from "./HubClientConfig.ts"
import { HubError, type HubErrorReason } from "./HubError.ts"

/**
 * The agent's one exchange with its hub: a report out, an envelope in (protocol 2). It is tried once; whoever calls decides
 * when to try again.
 */
export class HubClient extends Context.Tag("felhom/hub-client/HubClient")<HubClient, {
  readonly exchange: (report: HostReport) => Effect.Effect<Envelope, HubError>
}>() {}

/** How long an exchange may take altogether. */
const timeoutSeconds = 30

/** More than that is no envelope, in bytes. */
const answerLimit = 1024 * 1024

type Fail = (reason: HubErrorReason, detail: string, retryAfterSeconds?: number) => HubError

/** `Retry-After` in seconds; as a date, or beyond what any hub of ours says, it is not heard. */
const retryAfter = (headers: { readonly [name: string]: string | undefined }): number | undefined => {
  const text = headers["retry-after"] ?? ""
  return /^\d{1,4}$/.test(text) ? Number(text) : undefined
}

const statusReasons: { readonly [status: number]: HubErrorReason } = {
  400: "rejected",
  401: "unauthorized",
  403: "forbidden",
  413: "too-large"
}

const joined = (chunks: Iterable<Uint8Array>, size: number): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

// Not through Blob and Response: the first use of those loads a second HTTP client into Node, which weighs 7 MB.
const gzip = (bytes: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.promise(async () => {
    const packer = new CompressionStream("gzip")
    const writer = packer.writable.getWriter()
    const written = writer.write(new Uint8Array(bytes)).then(() => writer.close())
    const chunks: Array<Uint8Array> = []
    const reader = packer.readable.getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) chunks.push(part.value)
    await written
    return joined(chunks, chunks.reduce((size, chunk) => size + chunk.length, 0))
  })

/** Signs the body's bytes before they are packed: what is signed must not depend on who packed it. */
const signedAndPacked = ({ pack = gzip, sign }: Pick<typeof HubClientConfig.Service, "pack" | "sign">) =>
(
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<HttpClientRequest.HttpClientRequest> =>
  Effect.gen(function*() {
    if (request.body._tag !== "Uint8Array") return request
    const plain = request.body.body
    const signature = sign === undefined ? {} : { [signatureHeader]: yield* sign(plain) }
    return request.pipe(
      HttpClientRequest.setBody(HttpBody.uint8Array(yield* pack(plain), "application/json")),
      HttpClientRequest.setHeaders({ ...signature, "content-encoding": "gzip" })
    )
  })

/** The same answer, whose body has been read already. */
const readAlready = (
  response: HttpClientResponse.HttpClientResponse,
  text: string
): HttpClientResponse.HttpClientResponse =>
  Object.create(response, {
    text: { value: Effect.succeed(text) },
    arrayBuffer: { value: Effect.sync(() => new TextEncoder().encode(text).buffer) },
    json: {
      value: Effect.try({
        try: (): unknown => JSON.parse(text),
        catch: (cause) =>
          new HttpClientError.ResponseError({ request: response.request, response, reason: "Decode", cause })
      })
    }
  })

const Refusal = Schema.parseJson(Schema.Struct({ message: Schema.String }))

/** What a failing hub says, in its own words if it is ours and else in a few of the answer's. */
const refusalText = (body: string): string =>
  Option.match(Schema.decodeUnknownOption(Refusal)(body), {
    onNone: () => JSON.stringify(body.slice(0, 120)),
    onSome: ({ message }) => message
  })

/** Anything but a success becomes a `HubError` here, whoever answered; a success goes on with its whole body. */
const settled = (response: HttpClientResponse.HttpClientResponse, fail: Fail) =>
  boundedText(response, answerLimit).pipe(
    Effect.catchTag("BodyTooLarge", () => fail("malformed", `its answer is longer than ${answerLimit} bytes`)),
    Effect.flatMap((body) => {
      const { status } = response
      if (status === 200) {
        return Effect.succeed(readAlready(response, body))
      }
      const text = refusalText(body)
      const reason = statusReasons[status] ?? (status >= 400 ? "unavailable" : "malformed")
      return Effect.fail(
        status < 400
          ? fail(reason, `it answered with status ${status}`)
          : fail(reason, `it said ${status}: ${text}`, retryAfter(response.headers))
      )
    })
  )

const causeText = (error: HttpClientError.RequestError): string =>
  error.cause instanceof Error ? error.cause.message : error.description ?? error.message

const make = Effect.gen(function*() {
  const config = yield* HubClientConfig
  const { token, url } = config
  if (url.protocol !== "https:") {
    return yield* Effect.fail(
      ConfigError.InvalidData([], `the hub's address ${url.origin} is not https; nothing is sent to a hub in the clear`)
    )
  }
  const fail: Fail = (reason, detail, retryAfterSeconds) =>
    new HubError({
      reason,
      hub: url.origin,
      detail,
      mismatch: null,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
    })

  const unsent = (error: HttpClientError.RequestError): HubError => {
    const mismatch = pinMismatchOf(error)
    return mismatch === undefined
      ? fail("unreachable", `it cannot be reached: ${causeText(error)}`)
      : new HubError({ reason: "refused-certificate", hub: url.origin, detail: mismatch.message, mismatch })
  }

  const httpClient = (yield* HttpClient.HttpClient).pipe(
    HttpClient.withTracerPropagation(false),
    HttpClient.mapRequest(HttpClientRequest.bearerToken(token)),
    HttpClient.mapRequestEffect(signedAndPacked(config)),
    HttpClient.transformResponse(Effect.flatMap((response) => settled(response, fail)))
  )

  const report = yield* HttpApiClient.endpoint(ReportsApi, {
    group: "reports",
    endpoint: "report",
    httpClient,
    baseUrl: url.href.replace(/\/+$/, "")
  })

  return HubClient.of({
    exchange: (payload) =>
      report({ path: { hostId: payload.host.id }, payload }).pipe(
        Effect.timeoutFail({
          duration: `${timeoutSeconds} seconds`,
          onTimeout: () => fail("unreachable", `it gave no answer within ${timeoutSeconds} s`)
        }),
        Effect.mapError((error) => {
          switch (error._tag) {
            case "HubError":
              return error
            case "RequestError":
              return unsent(error)
            case "ParseError":
              return fail("malformed", `its answer is no envelope: ${ParseResult.TreeFormatter.formatErrorSync(error)}`)
            default:
              // The API's own errors became a HubError with their status already.
              return fail("malformed", `its answer does not read: ${error.message}`)
          }
        }),
        Effect.filterOrFail(
          (envelope) => envelope.host === payload.host.id && envelope.hostEpoch === payload.host.epoch,
          (envelope) => fail("wrong-host", `its answer is for host ${envelope.host}, epoch ${envelope.hostEpoch}`)
        )
      )
  })
})

/** Fails to build when the hub's address is not https. */
export const layer: Layer.Layer<HubClient, ConfigError.ConfigError, HttpClient.HttpClient | HubClientConfig> = Layer
  .effect(
    HubClient,
    make
  ).pipe(Layer.ensureRequirementsType<HttpClient.HttpClient | HubClientConfig>())
