import {
  FileSystem,
  HttpApiBuilder,
  HttpApiSwagger,
  HttpMiddleware,
  type HttpServer,
  HttpServerRequest
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { longestDesired } from "@felhom/domain/DesiredDocument"
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer, type Server } from "node:https"
import * as HubHandlers from "./HubHandlers.ts"
import { HubIdentity } from "./HubIdentity.ts"
import { type ListenAddress, urlHost } from "./ListenAddress.ts"
import * as ReportRoute from "./ReportRoute.ts"

/** The address could not be listened on. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  address: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot listen on ${this.address}: ${this.detail}; is another program on it? Name another one (--listen, FELHOM_HUB_LISTEN)`
  }
}

/** How long answers under way may take once the hub is asked to stop, in milliseconds. */
const drainMillis = 1_500

/** The TLS server, and how many requests it is answering. */
class TlsServer extends Context.Tag("felhom/hub/TlsServer")<TlsServer, Server>() {}

const tlsServer: Layer.Layer<TlsServer, never, HubIdentity> = Layer.effect(
  TlsServer,
  Effect.map(HubIdentity, ({ certificatePem, privateKeyPem }) => {
    const server = createServer({ cert: certificatePem, key: privateKeyPem, minVersion: "TLSv1.2" })
    // A new TLS connection costs many times a report over a kept one, and agents report every half minute or so.
    server.keepAliveTimeout = 90_000
    server.headersTimeout = 10_000
    server.requestTimeout = 30_000
    return server
  })
)

/**
 * Lets answers under way finish when the scope closes, then closes every connection: clients keep theirs open, and a server
 * waits for the last of them.
 */
const draining: Layer.Layer<never, never, TlsServer> = Layer.scopedDiscard(
  Effect.gen(function*() {
    const server = yield* TlsServer
    const answering = new Set<unknown>()
    let onIdle = () => {}
    server.on("request", (request, response) => {
      answering.add(request)
      response.on("close", () => {
        answering.delete(request)
        if (answering.size === 0) onIdle()
      })
    })
    yield* Effect.addFinalizer(() =>
      Effect.async<void>((resume) => {
        server.close()
        server.closeIdleConnections()
        onIdle = () => resume(Effect.void)
        if (answering.size === 0) onIdle()
      }).pipe(
        // A finalizer can't be interrupted, and what can't be interrupted never times out.
        Effect.interruptible,
        Effect.timeoutOption(drainMillis),
        Effect.zipRight(Effect.sync(() => server.closeAllConnections()))
      )
    )
  })
)

/** What a body other than a report may weigh, in bytes; a report's body has bounds of its own. */
const bodyLimit = 64 * 1024

/** The same for what people sign: 16 KiB with eight signatures and a document of 256 KiB, in base64. */
const signedLimit = 512 * 1024

const isSigned = /^\/api\/v1\/(?:hosts\/[0-9a-f]{32}\/ops|signers)$/

/** What is wished for a host, with what people call its guests. */
const desiredLimit = longestDesired + signedLimit

const isDesired = /^\/api\/v1\/hosts\/[0-9a-f]{32}\/desired$/

const limitFor = (url: string): number =>
  isSigned.test(url) ? signedLimit : isDesired.test(url) ? desiredLimit : bodyLimit

const boundedBodies = HttpMiddleware.make((app) =>
  Effect.flatMap(
    HttpServerRequest.HttpServerRequest,
    ({ url }) => HttpServerRequest.withMaxBodySize(app, Option.some(FileSystem.Size(limitFor(url))))
  )
)

/** Reports by their own short way, everything else through the API. */
const serving = Layer.scopedDiscard(
  Effect.gen(function*() {
    const server = yield* TlsServer
    const report = yield* ReportRoute.make
    const api = yield* NodeHttpServer.makeHandler(yield* HttpApiBuilder.httpApp, boundedBodies)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const onRequest = (request: IncomingMessage, response: ServerResponse) => {
          if (!report(request, response)) api(request, response)
        }
        server.on("request", onRequest)
        return onRequest
      }),
      (onRequest) => Effect.sync(() => server.off("request", onRequest))
    )
  })
).pipe(Layer.provide([HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer]))

/**
 * The hub over HTTPS: its API, the API's description at `/openapi.json` and a page to read it at `/docs`. When its scope
 * closes, no new request is taken and answers under way are finished.
 */
export const layer = (
  listen: ListenAddress
): Layer.Layer<HttpServer.HttpServer, ListenError, HubIdentity | HubHandlers.Services> => {
  const listening = Layer.unwrapEffect(
    Effect.map(TlsServer, (server) => NodeHttpServer.layer(() => server, listen))
  ).pipe(
    Layer.mapError(({ cause }) =>
      new ListenError({
        address: `${urlHost(listen.host)}:${listen.port}`,
        detail: cause instanceof Error ? cause.message : String(cause)
      })
    )
  )
  return draining.pipe(
    Layer.provideMerge(serving),
    Layer.provide(HttpApiSwagger.layer({ path: "/docs" })),
    Layer.provide(HttpApiBuilder.middlewareOpenApi({ path: "/openapi.json" })),
    Layer.provide(HubHandlers.layer),
    Layer.provideMerge(listening),
    Layer.provide(tlsServer)
  )
}
