import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError, ResponseError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import * as UrlParams from "@effect/platform/UrlParams"
import { BodyTooLarge } from "@felhom/domain/BoundedBody"
import type { PeerPins } from "@felhom/domain/PeerPin"
import { AnswerLate, endsByItself } from "@felhom/domain/port/AnswerLimit"
import { exchangesWhole, httpRequestOf, type WholeExchange } from "@felhom/domain/port/WholeExchange"
import { Effect, Either, Layer, type Scope } from "effect"
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http"
import { request as httpsRequest } from "node:https"
import { PinnedAgent, unbracketed } from "./PinnedAgent.ts"
import { PinnedResponse } from "./PinnedResponse.ts"
import { BodyTooLong, gather, textOf } from "./WholeBody.ts"

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
  let words = 0
  let last: string | undefined
  // Name, value, name, value.
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== "connection") continue
    words += 1
    last = rawHeaders[at + 1]
  }
  return words > 1 && last?.toLowerCase() === "keep-alive"
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

/** What is asked of a peer. */
interface Asked {
  readonly method: string
  readonly url: URL
  readonly headers: OutgoingHttpHeaders
  readonly body: Uint8Array | undefined
}

/** Who waits for an answer to begin. `failed` may come after that, too. */
interface Hearer {
  readonly answered: (answer: IncomingMessage, sent: ClientRequest) => void
  readonly failed: (reason: RequestError["reason"], cause: unknown) => void
}

/** Where and how a peer is asked. */
interface Way {
  readonly peer: string
  readonly agent: PinnedAgent
  readonly turns: Turns
  readonly limitMillis: number
}

/** Sends a request when its turn has come; what is given back gives it up. */
const ask = (
  { agent, limitMillis, turns }: Way,
  { body, headers, method, url }: Asked,
  { answered, failed }: Hearer
): () => void => {
  let message: ClientRequest | undefined
  let answer: IncomingMessage | undefined
  const begin = (): void => {
    try {
      // Of a URL object Node would look at each part, and make a copy.
      const path = url.pathname + url.search
      const sent = httpsRequest({ host: unbracketed(url.hostname), port: url.port, path, method, headers, agent })
      message = sent
      // Whoever reads the body hears of it by the body's own stream.
      const timer = setTimeout(() => (answer ?? sent).destroy(new AnswerLate(limitMillis)), limitMillis)
      sent.once("response", (found) => {
        answer = found
        if (staysOpen(found)) sent.shouldKeepAlive = true
        answered(found, sent)
      })
      // It stays: a connection that breaks while the body is read is told by the body's own stream.
      sent.on("error", (cause) => failed("Transport", cause))
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
      failed("Encode", cause)
    }
  }
  const leave = turns.take(begin)
  return () => {
    leave()
    message?.destroy()
  }
}

// In one effect without fibers of its own: for a request each half minute, V8 compiles little of what it runs, and every step of
// Effect's counts.
const exchange = (
  way: Way,
  request: HttpClientRequest,
  url: URL,
  body: Uint8Array | undefined
): Effect.Effect<PinnedResponse, RequestError> =>
  Effect.async((resume) => {
    const giveUp = ask(way, { method: request.method, url, headers: request.headers, body }, {
      answered: (answer, sent) => {
        const response = new PinnedResponse(request, answer)
        forgotten.register(response, sent)
        resume(Effect.succeed(response))
      },
      failed: (reason, cause) => resume(Effect.fail(new RequestError({ request, reason, cause })))
    })
    return Effect.sync(giveUp)
  })

const bodyHeaders = ({ bytes, type }: { readonly bytes: Uint8Array; readonly type: string }) => ({
  "content-type": type,
  "content-length": String(bytes.length)
})

/** The same through the end of the answer's body. */
const whole = (way: Way): WholeExchange => (request) =>
  Effect.async((resume) => {
    const unsent = (reason: RequestError["reason"], cause: unknown): void =>
      resume(Effect.fail(new RequestError({ request: httpRequestOf(request), reason, cause })))
    const { body, headers, limit, method } = request
    const url = URL.canParse(request.url) ? new URL(request.url) : undefined
    if (url?.protocol !== "https:") {
      if (url === undefined) unsent("InvalidUrl", new Error(`${request.url} is no URL`))
      else unsent("Transport", new PlaintextRefused(way.peer))
      return
    }
    let answered: IncomingMessage | undefined
    const asked: Asked = {
      method,
      url,
      headers: body === undefined ? { ...headers } : { ...headers, ...bodyHeaders(body) },
      body: body?.bytes
    }
    const giveUp = ask(way, asked, {
      answered: (answer, sent) => {
        answered = answer
        const tooLarge = (): void => resume(new BodyTooLarge({ limit }))
        const { "content-length": length } = answer.headers
        if (Number(length ?? 0) > limit) {
          tooLarge()
          sent.destroy()
          return
        }
        gather(answer, limit, {
          whole: (bytes) =>
            resume(Effect.succeed({
              status: answer.statusCode ?? 0,
              header: (name) => {
                const found = answer.headers[name]
                return Array.isArray(found) ? found.join(", ") : found
              },
              text: textOf(bytes)
            })),
          failed: (cause) => {
            if (cause instanceof BodyTooLong) tooLarge()
            else {
              const ofRequest = httpRequestOf(request)
              const response = new PinnedResponse(ofRequest, answer)
              resume(Effect.fail(new ResponseError({ request: ofRequest, response, reason: "Decode", cause })))
            }
          }
        })
      },
      // Once an answer has begun, its body tells how it ends: what was carried out is another question by then.
      failed: (reason, cause) => {
        if (answered === undefined) unsent(reason, cause)
      }
    })
    return Effect.sync(giveUp)
  })

const execute = (way: Way, request: HttpClientRequest): Effect.Effect<PinnedResponse, RequestError> => {
  const url = UrlParams.makeUrl(request.url, request.urlParams, request.hash)
  if (Either.isLeft(url)) return new RequestError({ request, reason: "InvalidUrl", cause: url.left })
  if (url.right.protocol !== "https:") {
    return new RequestError({ request, reason: "Transport", cause: new PlaintextRefused(way.peer) })
  }
  switch (request.body._tag) {
    case "Empty":
      return exchange(way, request, url.right, undefined)
    case "Uint8Array":
      return exchange(way, request, url.right, request.body.body)
    default:
      // pveproxy takes no chunked body (platform-facts 3.5), and everything we send fits in memory.
      return new RequestError({ request, reason: "Encode", description: "only a body of known length is sent" })
  }
}

// Not by `HttpClient.make`, which has a tracer, a signal to abort by and a wrapper for each request. Nobody reads the agent's
// traces, and a request is given up by its connection.
const clientOver = (peer: string, agent: PinnedAgent, limitMillis: number): HttpClient.HttpClient => {
  const way: Way = { peer, agent, turns: new Turns(connectionsAtMost), limitMillis }
  const client = HttpClient.makeWith(
    (requests: Effect.Effect<HttpClientRequest, RequestError>) =>
      Effect.flatMap(requests, (request) => execute(way, request)),
    Effect.succeed
  )
  return exchangesWhole(endsByItself(client, limitMillis), whole(way))
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
