import { HttpClient, type HttpClientError, HttpClientRequest } from "@effect/platform"
import { boundedText } from "@felhom/domain/BoundedBody"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { AnswerLate, isKnownToEnd } from "@felhom/domain/port/AnswerLimit"
import { Effect, Either, Option, Predicate, Redacted } from "effect"
import { classify } from "./Classification.ts"
import { emptyParameters, encodeParameters, encodePath, type Parameters } from "./FormEncoding.ts"
import type { ProxmoxSettings } from "./ProxmoxConfig.ts"
import { type Method, ProxmoxError, type ProxmoxReason } from "./ProxmoxError.ts"

/** One request to the API. */
export interface Call {
  readonly method: Method
  /** Below `/api2/json`, each segment as it is named, without any encoding. */
  readonly path: ReadonlyArray<string | number>
  /** Goes into the query of a GET or DELETE, which take no body, and into the form of a POST or PUT (platform-facts 11, item 11). */
  readonly parameters?: Parameters
}

/** What a successful answer holds (platform-facts 1.0). */
export interface Answer {
  readonly data: unknown
  /** How many there are in all, where a list was cut. */
  readonly total: unknown
}

/** Sends calls and sorts what goes wrong. */
export interface Transport {
  /**
   * Sends one call. `before` runs when it is this call's turn, just before its first byte: if it fails, nothing is sent.
   */
  readonly send: <E = never>(call: Call, before?: Effect.Effect<unknown, E>) => Effect.Effect<Answer, ProxmoxError | E>
  /** A failure that the caller of this transport found out itself. */
  readonly failure: (
    call: Call,
    reason: ProxmoxReason,
    detail: string,
    errors?: { readonly [parameter: string]: string }
  ) => ProxmoxError
}

// pveproxy gives up on its own backend after 30 s (platform-facts 3.5), so an answer that is to come has come by then.
/** How long a request may take from when it is its turn, in milliseconds. */
export const answerLimitMillis = 60_000
const bodyLimitBytes = 16 * 1024 * 1024
// pveproxy's own limit for a request (platform-facts 3.5).
const formLimitBytes = 512 * 1024
// Three blocking workers serve everybody on the host (platform-facts 3.5).
const callsInFlight = 2

const codeOf = (error: unknown): string | undefined => {
  let current = error
  for (let depth = 0; depth < 8; depth += 1) {
    if (!Predicate.isRecord(current)) return undefined
    if (typeof current["code"] === "string") return current["code"]
    current = current["cause"]
  }
  return undefined
}

const wordsOf = (error: HttpClientError.HttpClientError): string => {
  const code = codeOf(error)
  const cause = Predicate.isRecord(error.cause) ? error.cause["message"] : undefined
  const words = typeof cause === "string" ? cause : error.description ?? ""
  return code === undefined || words.includes(code) ? words : `${code}: ${words}`
}

// The connection was never there, so nothing can have been carried out.
const neverConnected = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT"
])

// An idle connection that the other side closed at the same moment (platform-facts 11, item 11): reading again is harmless.
const closedUnderUs = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"])

const mayReadAgain = (call: Call, error: HttpClientError.HttpClientError): boolean =>
  call.method === "GET" && error._tag === "RequestError" && closedUnderUs.has(codeOf(error) ?? "")

// No schema, which would say no more: each call has its own decoder for what is in it.
const parseAnswer = (body: string): Option.Option<Answer> =>
  Option.filterMap(
    Option.liftThrowable((): unknown => JSON.parse(body))(),
    (parsed) =>
      Predicate.isRecord(parsed) && "data" in parsed
        ? Option.some({ data: parsed["data"], total: parsed["total"] })
        : Option.none()
  )

// The value is percent-decoded by the server and ends at a `;` (platform-facts 3.1).
const credential = (settings: ProxmoxSettings): string =>
  `PVEAPIToken=${settings.tokenId.replace(/[^\w@.!-]+/g, encodeURIComponent)}=${
    Redacted.value(settings.secret).replace(/[%;]/g, encodeURIComponent)
  }`

const requestOf = (call: Call, settings: ProxmoxSettings): HttpClientRequest.HttpClientRequest => {
  const encoded = encodeParameters(call.parameters ?? {})
  const inQuery = call.method === "GET" || call.method === "DELETE"
  const url = `${settings.url.origin}/api2/json${encodePath(call.path)}${
    inQuery && encoded !== "" ? `?${encoded}` : ""
  }`
  const request = HttpClientRequest.make(call.method)(url).pipe(
    HttpClientRequest.setHeader("authorization", credential(settings)),
    HttpClientRequest.acceptJson
  )
  return inQuery || encoded === ""
    ? request
    : HttpClientRequest.bodyText(request, encoded, "application/x-www-form-urlencoded")
}

export const make = (client: HttpClient.HttpClient, settings: ProxmoxSettings): Effect.Effect<Transport> =>
  Effect.gen(function*() {
    const turns = yield* Effect.makeSemaphore(callsInFlight)
    // The semaphore's plain way suspends a fiber even where a permit is free, which costs as much as the rest of a call.
    const inTurn = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.flatMap(
        turns.withPermitsIfAvailable(1)(call),
        Option.match({ onNone: () => turns.withPermits(1)(call), onSome: Effect.succeed })
      )
    // The host learns nothing about our traces.
    const ends = isKnownToEnd(client, answerLimitMillis)
    const http = ends ? client : HttpClient.withTracerPropagation(client, false)
    const limited = (call: Call, exchanged: Effect.Effect<Answer, ProxmoxError>): Effect.Effect<Answer, ProxmoxError> =>
      ends ? exchanged : Effect.timeoutFail(exchanged, {
        duration: answerLimitMillis,
        onTimeout: () => broken(call, new AnswerLate(answerLimitMillis).message)
      })

    const errorAt = (
      call: Call,
      fields: Omit<ConstructorParameters<typeof ProxmoxError>[0], "method" | "path" | "host" | "tokenId">
    ) =>
      new ProxmoxError({
        method: call.method,
        path: `/${call.path.join("/")}`,
        host: settings.url.host,
        tokenId: settings.tokenId,
        ...fields
      })
    const failure: Transport["failure"] = (call, reason, detail, errors = {}) =>
      errorAt(call, { reason, status: null, detail, errors })
    // For what went wrong after a request may have left: only a read is known to have changed nothing.
    const broken = (call: Call, detail: string) =>
      failure(call, call.method === "GET" ? "unreachable" : "outcome-unknown", detail)

    const ofHttp = (call: Call) => (error: HttpClientError.HttpClientError): ProxmoxError => {
      const mismatch = pinMismatchOf(error)
      if (mismatch !== undefined) {
        return errorAt(call, { reason: "refused-certificate", status: null, detail: "", errors: {}, cause: mismatch })
      }
      if (error._tag === "RequestError" && neverConnected.has(codeOf(error) ?? "")) {
        return failure(call, "unreachable", wordsOf(error))
      }
      return broken(call, wordsOf(error))
    }

    const unreadable = (call: Call, status: number, detail: string) =>
      errorAt(call, { reason: call.method === "GET" ? "malformed" : "outcome-unknown", status, detail, errors: {} })

    const answerOf = (call: Call, status: number, body: string): Either.Either<Answer, ProxmoxError> => {
      if (status < 200 || status > 299) {
        return Either.left(errorAt(call, { status, ...classify({ method: call.method, status, body }) }))
      }
      return Either.fromOption(
        parseAnswer(body),
        () => unreadable(call, status, /^\s*</.test(body) ? "an HTML page instead of JSON" : "no JSON with a data key")
      )
    }

    const refusal = (call: Call): ProxmoxError | undefined => {
      const empty = emptyParameters(call.parameters ?? {})
      if (empty.length > 0) {
        const errors = Object.fromEntries(empty.map((name) => [name, "must not be empty"]))
        return failure(call, "invalid", "nothing was sent", errors)
      }
      return encodeParameters(call.parameters ?? {}).length > formLimitBytes
        ? failure(call, "too-large", "nothing was sent")
        : undefined
    }

    const exchange = (call: Call): Effect.Effect<Answer, ProxmoxError> =>
      Effect.suspend(() => http.execute(requestOf(call, settings))).pipe(
        Effect.catchIf((error) => mayReadAgain(call, error), () => http.execute(requestOf(call, settings))),
        Effect.flatMap((response) =>
          Effect.flatMap(boundedText(response, bodyLimitBytes), (body) => answerOf(call, response.status, body))
        ),
        Effect.mapError((error) => {
          switch (error._tag) {
            case "ProxmoxError":
              return error
            case "BodyTooLarge":
              return failure(
                call,
                call.method === "GET" ? "too-large" : "outcome-unknown",
                `an answer of more than ${bodyLimitBytes} bytes`
              )
            default:
              return ofHttp(call)(error)
          }
        }),
        (exchanged) => limited(call, exchanged)
      )

    return {
      failure,
      send: <E = never>(call: Call, before?: Effect.Effect<unknown, E>) => {
        const refused = refusal(call)
        if (refused !== undefined) return Effect.fail(refused)
        const sent: Effect.Effect<Answer, ProxmoxError | E> = exchange(call)
        return inTurn(before === undefined ? sent : Effect.zipRight(before, sent))
      }
    }
  })
