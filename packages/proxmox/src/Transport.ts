import { HttpClient, type HttpClientError } from "@effect/platform"
import type { BodyTooLarge } from "@felhom/domain/BoundedBody"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { AnswerLate, isKnownToEnd } from "@felhom/domain/port/AnswerLimit"
import { wholeExchange, type WholeRequest } from "@felhom/domain/port/WholeExchange"
import { Effect, Either, Option, Predicate, Redacted } from "effect"
import * as AnswerMemory from "./AnswerMemory.ts"
import { makeCallTurns } from "./CallTurns.ts"
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

const formType = "application/x-www-form-urlencoded"
const utf8 = new TextEncoder()

/** What the requests to one host have in common. */
interface Common {
  readonly origin: string
  readonly headers: WholeRequest["headers"]
}

const requestOf = (call: Call, encoded: string, { headers, origin }: Common): WholeRequest => {
  const inQuery = call.method === "GET" || call.method === "DELETE"
  const query = inQuery && encoded !== "" ? `?${encoded}` : ""
  return {
    method: call.method,
    url: `${origin}/api2/json${encodePath(call.path)}${query}`,
    headers,
    limit: bodyLimitBytes,
    ...(inQuery || encoded === "" ? {} : { body: { type: formType, bytes: utf8.encode(encoded) } })
  }
}

export const make = (client: HttpClient.HttpClient, settings: ProxmoxSettings): Effect.Effect<Transport> =>
  Effect.gen(function*() {
    const inTurn = yield* makeCallTurns(callsInFlight)
    // The host learns nothing about our traces.
    const ends = isKnownToEnd(client, answerLimitMillis)
    const exchangeOnce = wholeExchange(ends ? client : HttpClient.withTracerPropagation(client, false))
    const common: Common = {
      origin: settings.url.origin,
      headers: { authorization: credential(settings), accept: "application/json" }
    }
    const memory = AnswerMemory.make<Answer>()
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

    const answerOf = (call: Call, url: string, status: number, body: string): Either.Either<Answer, ProxmoxError> => {
      if (status < 200 || status > 299) {
        return Either.left(errorAt(call, { status, ...classify({ method: call.method, status, body }) }))
      }
      const answer = Either.fromOption(
        parseAnswer(body),
        () => unreadable(call, status, /^\s*</.test(body) ? "an HTML page instead of JSON" : "no JSON with a data key")
      )
      if (call.method === "GET" && Either.isRight(answer)) memory.keep(url, body, answer.right)
      return answer
    }

    const refusal = (call: Call, encoded: string): ProxmoxError | undefined => {
      const empty = emptyParameters(call.parameters ?? {})
      if (empty.length > 0) {
        const errors = Object.fromEntries(empty.map((name) => [name, "must not be empty"]))
        return failure(call, "invalid", "nothing was sent", errors)
      }
      return encoded.length > formLimitBytes ? failure(call, "too-large", "nothing was sent") : undefined
    }

    const errorOf = (call: Call, error: HttpClientError.HttpClientError | BodyTooLarge): ProxmoxError =>
      error._tag === "BodyTooLarge"
        ? failure(
          call,
          call.method === "GET" ? "too-large" : "outcome-unknown",
          `an answer of more than ${bodyLimitBytes} bytes`
        )
        : ofHttp(call)(error)

    const exchange = (call: Call, encoded: string): Effect.Effect<Answer, ProxmoxError> => {
      const request = requestOf(call, encoded, common)
      const attempt = (
        orElse: (error: HttpClientError.HttpClientError | BodyTooLarge) => Effect.Effect<Answer, ProxmoxError>
      ) =>
        Effect.matchEffect(exchangeOnce(request), {
          onFailure: orElse,
          onSuccess: ({ status, text }) => {
            const before = status === 200 && call.method === "GET" ? memory.recall(request.url, text) : undefined
            return before === undefined ? answerOf(call, request.url, status, text) : Effect.succeed(before)
          }
        })
      const failed = (error: HttpClientError.HttpClientError | BodyTooLarge) => Effect.fail(errorOf(call, error))
      return limited(
        call,
        attempt((error) => error._tag !== "BodyTooLarge" && mayReadAgain(call, error) ? attempt(failed) : failed(error))
      )
    }

    return {
      failure,
      send: <E = never>(call: Call, before?: Effect.Effect<unknown, E>) => {
        const encoded = encodeParameters(call.parameters ?? {})
        const refused = refusal(call, encoded)
        if (refused !== undefined) return Effect.fail(refused)
        const sent: Effect.Effect<Answer, ProxmoxError | E> = Effect.suspend(() => exchange(call, encoded))
        return inTurn(before === undefined ? sent : Effect.zipRight(before, sent))
      }
    }
  })
