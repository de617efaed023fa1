import type * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect, Queue, type Scope } from "effect"
import type { RequestListener } from "node:http"
import { createServer as createHttpsServer, type Server } from "node:https"
import type { AddressInfo } from "node:net"
import { createSecureContext } from "node:tls"

/** A real HTTPS server on localhost that counts what it was sent after a handshake, and can exchange its certificate. */
export interface TlsServer {
  readonly origin: string
  readonly peer: string
  /** Every byte of application data that arrived. */
  readonly received: () => number
  readonly handshakes: () => number
  /** Waits for the next request for /never, which gets no answer. */
  readonly asked: Effect.Effect<void>
  /** Shows these from the next handshake on, one after the other and round again. */
  readonly show: (...identities: ReadonlyArray<TlsIdentity.TlsIdentity>) => void
}

const answer: RequestListener = (request, response) => {
  // A path below /half never gets its answer's end, and /cut loses its connection there.
  // The path /last closes the connection, so that the next request has to shake hands.
  if (request.url === "/last") response.setHeader("connection", "close")
  // As pveproxy passes pvedaemon's own header on, beside its own.
  if (request.url?.startsWith("/protected") === true) response.setHeader("connection", ["close", "Keep-Alive"])
  if (request.url === "/elsewhere") {
    response.writeHead(302, { location: "/moved" }).end()
    return
  }
  request.resume().once("end", () => {
    response.writeHead(200)
    // Which it does not mean: only its own word counts. Node would take any `close` for the last word.
    if (request.url?.startsWith("/protected") === true) Object.assign(response, { _last: false })
    if (request.url === "/chunks") response.write("in pieces, ")
    if (request.url?.startsWith("/half") === true) response.write("a beginning without an end")
    else if (request.url === "/cut") response.write("a beginning", () => request.socket.destroy())
    else response.end(`answered ${request.url}`)
  })
}

/** Starts one; it ends with the scope, connections included. */
export const start = (...shown: ReadonlyArray<TlsIdentity.TlsIdentity>): Effect.Effect<TlsServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    let identities = shown
    let handshakes = 0
    let received = 0
    const asked = yield* Queue.unbounded<void>()
    const contextOf = (identity: TlsIdentity.TlsIdentity) =>
      createSecureContext({ cert: identity.certificatePem, key: identity.privateKeyPem })
    const server = yield* Effect.acquireRelease(
      Effect.async<Server>((resume) => {
        const server: Server = createHttpsServer({
          SNICallback: (_name, callback) => {
            const identity = identities[handshakes % identities.length]
            handshakes += 1
            callback(null, identity === undefined ? undefined : contextOf(identity))
          }
        }, (request, response) => {
          if (request.url === "/never") asked.unsafeOffer(undefined)
          else answer(request, response)
        })
        server.on("secureConnection", (socket) => socket.on("data", (bytes) => (received += bytes.length)))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    // A listening TCP server's address is never a string.
    const { port } = server.address() as AddressInfo
    return {
      origin: `https://localhost:${port}`,
      peer: `localhost:${port}`,
      received: () => received,
      handshakes: () => handshakes,
      asked: Queue.take(asked),
      show: (...next) => {
        identities = next
        handshakes = 0
      }
    }
  })
