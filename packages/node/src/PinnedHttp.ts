import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import * as UrlParams from "@effect/platform/UrlParams"
import type { PeerPins } from "@felhom/domain/PeerPin"
import { AnswerLate, endsByItself } from "@felhom/domain/port/AnswerLimit"
import { Effect, Either, Layer, type Scope } from "effect"
import type { ClientRequest, IncomingMessage } from "node:http"
import { request as httpsRequest } from "node:https"
import { PinnedAgent } from "./PinnedAgent.ts"
import { PinnedResponse } from "./PinnedResponse.ts"

/** A URL that is not https was asked for. Nothing was sent. */
export class PlaintextRefused extends Error {
  override readonly name = "PlaintextRefused"
  constructor(peer: string) {
    super(`${peer} was asked for over plain HTTP; nothing was sent. Only https URLs are used`)
  }
}

// pveproxy hands everything to three blocking workers that serve everybody else too (platform-facts 3.5).
const connectionsAtMost = 2
// For a caller that sets no limit: what takes longer than this goes nowhere.
const longestExchangeMillis = 600_000

/**
 * pveproxy passes pvedaemon's `Connection: close` on and adds its own `Keep-Alive` behind it, which it adds only when it keeps
 * the connection open (pve-http-server, AnyEvent.pm, `response`). Taken at its first word, each call to pvedaemon would cost a
 * handshake.
 */
const staysOpen = ({ rawHeaders }: IncomingMessage): boolean => {
  const words = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && name.toLowerCase() === "connection" ? [(rawHeaders[index + 1] ?? "").toLowerCase()] : []
  )
  return words.length > 1 && words.at(-1) === "keep-alive"
}

/** Lets so many requests be on their way at once, in the order in which they came. */
class Turns {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Calls `begin` when its turn has come, which may be now; what is given back makes it wait no longer. */
  take(begin: () => void): () => void {
    if (this.#free > 0) {
      this.#free -= 1
      begin()
    } else this.#waiting.add(begin)
    return () => this.#waiting.delete(begin)
  }

  readonly release = (): void => {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}

/** An answer that nobody reads keeps its connection from others, so it is given up when nobody can read it any more. */
const forgotten = new FinalizationRegistry<ClientRequest>((message) => message.destroy())

// In one effect without fibers of its own: for a request each half minute, V8 compiles little of what it runs, and every step of
// Effect's counts.
const exchange = (
  agent: PinnedAgent,
  turns: Turns,
  request: HttpClientRequest,
  url: URL,
  body: Uint8Array | undefined,
  limitMillis: number
): Effect.Effect<PinnedResponse, RequestError> =>
  Effect.async((resume) => {
    let message: ClientRequest | undefined
    let answer: IncomingMessage | undefined
    const fail = (reason: RequestError["reason"], cause: unknown): void =>
      resume(Effect.fail(new RequestError({ request, reason, cause })))
    const begin = (): void => {
      try {
        const sent = httpsRequest(url, { agent, method: request.method, headers: request.headers })
        message = sent
        // Whoever reads the body hears of it by the body's own stream.
        const timer = setTimeout(() => (answer ?? sent).destroy(new AnswerLate(limitMillis)), limitMillis)
        sent.once("response", (found) => {
          answer = found
          if (staysOpen(found)) sent.shouldKeepAlive = true
          const response = new PinnedResponse(request, found)
          forgotten.register(response, sent)
          resume(Effect.succeed(response))
        })
        // It stays: a connection that breaks while the body is read is told by the body's own stream.
        sent.on("error", (cause) => fail("Transport", cause))
        // The request is over, its answer's body included, and its connection is back in the pool or gone.
        sent.once("close", () => {
          clearTimeout(timer)
          setImmediate(turns.release)
        })
        sent.end(body)
      } catch (cause) {
        // Such as a header's value that must not be one.
        if (message === undefined) turns.release()
        else message.destroy()
        fail("Encode", cause)
      }
    }
    const leave = turns.take(begin)
    return Effect.sync(() => {
      leave()
      message?.destroy()
    })
  })

const execute = (
  peer: string,
  agent: PinnedAgent,
  turns: Turns,
  request: HttpClientRequest,
  limitMillis: number
): Effect.Effect<PinnedResponse, RequestError> => {
  const url = UrlParams.makeUrl(request.url, request.urlParams, request.hash)
  if (Either.isLeft(url)) return new RequestError({ request, reason: "InvalidUrl", cause: url.left })
  if (url.right.protocol !== "https:") {
    return new RequestError({ request, reason: "Transport", cause: new PlaintextRefused(peer) })
  }
  switch (request.body._tag) {
    case "Empty":
      return exchange(agent, turns, request, url.right, undefined, limitMillis)
    case "Uint8Array":
      return exchange(agent, turns, request, url.right, request.body.body, limitMillis)
    default:
      // pveproxy takes no chunked body (platform-facts 3.5), and everything we send fits in memory.
      return new RequestError({ request, reason: "Encode", description: "only a body of known length is sent" })
  }
}

// Not by `HttpClient.make`, which has a tracer, a signal to abort by and a wrapper for each request. Nobody reads the agent's
// traces, and a request is given up by its connection.
const clientOver = (peer: string, agent: PinnedAgent, limitMillis: number): HttpClient.HttpClient => {
  const turns = new Turns(connectionsAtMost)
  return endsByItself(
    HttpClient.makeWith(
      (requests: Effect.Effect<HttpClientRequest, RequestError>) =>
        Effect.flatMap(requests, (request) => execute(peer, agent, turns, request, limitMillis)),
      Effect.succeed
    ),
    limitMillis
  )
}

export interface PinnedHttpOptions {
  readonly peer: string
  readonly pins: PeerPins
  readonly answerWithinMillis?: number
}

/**
 * An `HttpClient` that sends no byte before the peer's leaf certificate or its public key (SHA-256, of the DER) matched one of
 * `pins`. `peer` is what messages call it, best `host:port`.
 *
 * A peer that shows anything else fails a request with `RequestError` (reason `Transport`); `pinMismatchOf` of
 * domain/PeerPin takes the `PinMismatch` with the shown fingerprints out of it. http: URLs are refused, redirects are never
 * followed, proxy variables are not read, HTTP/2 and session resumption are off, and at most two connections are open. A body
 * is sent with its length, never in chunks. An exchange that takes longer than `answerWithinMillis` from when it is its turn
 * (ten minutes without one) ends with an `AnswerLate`.
 *
 * An open connection stays trusted when the peer's certificate changes; the next handshake decides again. It stands on Node's
 * own client: undici would weigh 12 MB of memory more (docs/performance.md).
 */
export const make = (options: PinnedHttpOptions): Effect.Effect<HttpClient.HttpClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new PinnedAgent(options.peer, options.pins)),
    (agent) => Effect.sync(() => agent.destroy())
  ).pipe(Effect.map((agent) => clientOver(options.peer, agent, options.answerWithinMillis ?? longestExchangeMillis)))

/** The client that `make` makes. */
export const layer = (options: PinnedHttpOptions): Layer.Layer<HttpClient.HttpClient> =>
  Layer.scoped(HttpClient.HttpClient, make(options))
