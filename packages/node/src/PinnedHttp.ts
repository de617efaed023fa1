import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import type { PeerPins } from "@felhom/domain/PeerPin"
import { Deferred, Effect, Layer } from "effect"
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

const bodyOf = (request: HttpClientRequest): Effect.Effect<Uint8Array | undefined, RequestError> => {
  switch (request.body._tag) {
    case "Empty":
      return Effect.as(Effect.void, undefined)
    case "Uint8Array":
      return Effect.succeed(request.body.body)
    default:
      // pveproxy takes no chunked body (platform-facts 3.5), and everything we send fits in memory.
      return new RequestError({ request, reason: "Encode", description: "only a body of known length is sent" })
  }
}

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

/** A request on its way; `answer` has come when its headers have. */
interface Sent {
  readonly message: ClientRequest
  readonly answer: Deferred.Deferred<IncomingMessage, RequestError>
}

const send = (
  agent: PinnedAgent,
  request: HttpClientRequest,
  url: URL,
  body: Uint8Array | undefined
): Effect.Effect<Sent, RequestError> =>
  Effect.flatMap(Deferred.make<IncomingMessage, RequestError>(), (answer) =>
    Effect.try({
      try: () => {
        const message = httpsRequest(url, { agent, method: request.method, headers: request.headers })
        message.once("response", (found) => {
          if (staysOpen(found)) message.shouldKeepAlive = true
          Deferred.unsafeDone(answer, Effect.succeed(found))
        })
        // It stays: a connection that breaks while the body is read is told by the body's own stream.
        message.on("error", (cause) =>
          Deferred.unsafeDone(answer, new RequestError({ request, reason: "Transport", cause })))
        message.end(body)
        return { message, answer }
      },
      // Such as a header's value that must not be one.
      catch: (cause) =>
        new RequestError({ request, reason: "Encode", cause })
    }))

/** Until a request is over, its answer's body included, and its connection is back in the pool or gone. */
const over = (message: ClientRequest): Effect.Effect<void> =>
  Effect.async((resume) => {
    const done = () => setImmediate(() => resume(Effect.void))
    if (message.closed) done()
    else message.once("close", done)
  })

const make = (peer: string, agent: PinnedAgent): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(
    Effect.makeSemaphore(connectionsAtMost),
    (turns) =>
      HttpClient.make((request, url, signal) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            if (url.protocol !== "https:") {
              return yield* new RequestError({ request, reason: "Transport", cause: new PlaintextRefused(peer) })
            }
            const body = yield* bodyOf(request)
            yield* restore(turns.take(1))
            const { answer, message } = yield* Effect.tapError(
              send(agent, request, url, body),
              () => turns.release(1)
            )
            yield* Effect.forkDaemon(Effect.zipRight(over(message), turns.release(1)))
            const found = yield* Effect.onInterrupt(restore(Deferred.await(answer)), () =>
              Effect.sync(() => message.destroy()))
            // What is left unread when nobody wants it any more.
            signal.addEventListener("abort", () =>
              message.destroy(), { once: true })
            return new PinnedResponse(request, found)
          })
        )
      )
  )

/**
 * An `HttpClient` that sends no byte before the peer's leaf certificate or its public key (SHA-256, of the DER) matched one of
 * `pins`. `peer` is what messages call it, best `host:port`.
 *
 * A peer that shows anything else fails a request with `RequestError` (reason `Transport`); `pinMismatchOf` of
 * domain/PeerPin takes the `PinMismatch` with the shown fingerprints out of it. http: URLs are refused, redirects are never
 * followed, proxy variables are not read, HTTP/2 and session resumption are off, and at most two connections are open. A body
 * is sent with its length, never in chunks.
 *
 * An open connection stays trusted when the peer's certificate changes; the next handshake decides again. It stands on Node's
 * own client: undici would weigh 12 MB of memory more (docs/performance.md).
 */
export const layer = (
  options: { readonly peer: string; readonly pins: PeerPins }
): Layer.Layer<HttpClient.HttpClient> =>
  Layer.scoped(
    HttpClient.HttpClient,
    Effect.acquireRelease(
      Effect.sync(() => new PinnedAgent(options.peer, options.pins)),
      (agent) => Effect.sync(() => agent.destroy())
    ).pipe(
      Effect.flatMap((agent) => make(options.peer, agent)),
      // Nobody reads the agent's traces, and to gather one takes longer than to send the request.
      Effect.map(HttpClient.withTracerDisabledWhen(() => true))
    )
  )
