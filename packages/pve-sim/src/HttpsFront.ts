import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Clock, Context, Effect, FiberSet, Layer, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as NodeHttps from "node:https"
import { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { gzipSync } from "node:zlib"
import { leafInfo } from "./LeafInfo.ts"
import { listen, type ListenFailed } from "./Listening.ts"
import { tlsOrRedirect } from "./PlainRedirect.ts"
import { PveSim } from "./PveSim.ts"
import { bodyLimit, type SimRequest, type SimResponse } from "./SimWire.ts"
import { type WireCounts, WireLedger } from "./WireLedger.ts"

/** `renewed`: a new leaf for the same key, as Proxmox renews its own; `foreign`: another key (platform-facts 3.6). */
export type CertificateName = "original" | "renewed" | "foreign"

/** What a client may pin: the leaf as `AA:BB:…`, the SPKI's SHA-256 in hex. */
export interface ShownCertificate {
  readonly leaf: string
  readonly spki: string
}

/** The simulated host on a real TLS port, as pveproxy behaves there (platform-facts 3.5, 3.6). */
export class HttpsFront extends Context.Tag("felhom/pve-sim/HttpsFront")<HttpsFront, {
  /** `https://127.0.0.1:8006`, with the port that was really taken. */
  readonly url: string
  readonly wire: Effect.Effect<WireCounts>
  readonly certificates: Effect.Effect<
    { readonly served: CertificateName } & { readonly [name in CertificateName]: ShownCertificate }
  >
  /**
   * The certificate for all connections from now on; those that are open keep theirs. For `alternating` seconds the one that
   * was served before is shown to every other connection, as by pveproxy's old workers after a reload.
   */
  readonly serve: (name: CertificateName, alternating?: number) => Effect.Effect<void>
}>() {
  static readonly layer = (
    options: { readonly host: string; readonly port: number }
  ): Layer.Layer<HttpsFront, ListenFailed, PveSim> =>
    Layer.scoped(HttpsFront, make(options)).pipe(Layer.ensureRequirementsType<PveSim>())
}

const idleMillis = 5_000
const requestsPerConnection = 100
const headerLines = 64

const bodyOf = (request: IncomingMessage): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    let length = 0
    request.on("data", (chunk: Buffer) => {
      length += chunk.length
      // The core refuses what is larger by its announced length; there is no need to keep it.
      if (length <= bodyLimit) chunks.push(chunk)
    })
    request.on("end", () => resolve(Buffer.concat(chunks)))
    request.on("error", reject)
  })

const asSimRequest = (request: IncomingMessage, body: Uint8Array): SimRequest => {
  const [path = "/", query = ""] = (request.url ?? "/").split(/\?(.*)/s)
  const headers = Object.fromEntries(
    Object.entries(request.headers).map((
      [name, value]
    ) => [name, Array.isArray(value) ? value.join(", ") : value ?? ""])
  )
  return { method: request.method ?? "GET", path, query, headers, body }
}

const compressed = (request: IncomingMessage, answer: SimResponse): SimResponse => {
  const accepts = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""))
  if (!(accepts || answer.gzip === true) || answer.body.length <= 1024) return answer
  const body = gzipSync(answer.body)
  return {
    ...answer,
    body,
    headers: answer.headers.flatMap(([name, value]): ReadonlyArray<readonly [string, string]> =>
      name === "Content-Length" ? [["Content-Encoding", "gzip"], [name, String(body.length)]] : [[name, value]]
    )
  }
}

const write = (response: ServerResponse, answer: SimResponse, last: boolean): void => {
  const closing = last && answer.status < 400
  response.sendDate = false
  // A body without a length ends with its connection, as pveproxy's 401 does.
  response.useChunkedEncodingByDefault = answer.chunked === true
  const headers = answer.chunked === true
    ? answer.headers.filter(([name]) => name !== "Content-Length")
    : answer.headers
  response.writeHead(
    answer.status,
    answer.reason,
    headers.flatMap(([name, value]) => [name, closing && name === "Connection" ? "close" : value])
  )
  // pveproxy means its own `Keep-Alive`, not the `close` of pvedaemon's that it passes on in front of it (pve-http-server,
  // AnyEvent.pm, `response` and `finish_response`). Node would take any `close` for the last word.
  const kept = !closing && headers.some(([name, value]) => name === "Connection" && value === "Keep-Alive")
  if (kept) Object.assign(response, { _last: false })
  response.end(answer.body)
}

// All headers and half of the body; then the connection is gone.
const breakOff = (request: IncomingMessage, response: ServerResponse, answer: SimResponse): void => {
  response.sendDate = false
  response.writeHead(answer.status, answer.reason, answer.headers.flatMap(([name, value]) => [name, value]))
  response.write(answer.body.slice(0, answer.body.length / 2), () => request.socket.destroy())
}

const silence = (socket: Socket): void => {
  socket.setTimeout(idleMillis, () => socket.destroy())
}

const shown = (identity: TlsIdentity.TlsIdentity): ShownCertificate => ({
  leaf: formatFingerprint(identity.leafSha256),
  spki: identity.spkiSha256
})

const makeIdentities = (node: string, host: string) =>
  Effect.gen(function*() {
    const options = {
      commonName: node,
      altNames: Array.from(new Set(["127.0.0.1", "::1", "localhost", node, host])),
      days: 730
    }
    const original = yield* TlsIdentity.make(options)
    const renewed = yield* TlsIdentity.make({ ...options, privateKeyPem: original.privateKeyPem })
    const foreign = yield* TlsIdentity.make(options)
    return { original, renewed, foreign }
  })

const keyAndCertificate = (identity: TlsIdentity.TlsIdentity) => ({
  key: identity.privateKeyPem,
  cert: identity.certificatePem
})

const make = (
  options: { readonly host: string; readonly port: number }
): Effect.Effect<Context.Tag.Service<HttpsFront>, ListenFailed, PveSim | Scope.Scope> =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const identities = yield* makeIdentities(sim.node, options.host)
    const ledger = new WireLedger()
    const run = yield* FiberSet.makeRuntime()
    const clock = yield* Effect.clock
    let served: CertificateName = "original"
    let before: { readonly name: CertificateName; readonly until: number } | undefined
    let showsBefore = false

    /** The context that the next connection gets; the one of this connection is chosen already. */
    const alternate = (): void => {
      if (before === undefined) return
      showsBefore = !showsBefore && clock.unsafeCurrentTimeMillis() < before.until
      server.setSecureContext(keyAndCertificate(identities[showsBefore ? before.name : served]))
      if (!showsBefore && clock.unsafeCurrentTimeMillis() >= before.until) before = undefined
    }

    const answer = (request: IncomingMessage, response: ServerResponse): Effect.Effect<void> =>
      Effect.gen(function*() {
        const count = ledger.request(request.socket)
        // No answer: pveproxy lets it wait and closes when nothing more comes (platform-facts 11, item 11).
        if (request.rawHeaders.length / 2 >= headerLines) return silence(request.socket)
        const body = yield* Effect.tryPromise(() => bodyOf(request))
        const reply = yield* sim.handle(asSimRequest(request, body))
        if (reply.certificate !== undefined) yield* serve(reply.certificate.serve, reply.certificate.alternating)
        if (reply.broken === "reset") return void request.socket.destroy()
        if (reply.broken === "truncated") return breakOff(request, response, reply)
        yield* Effect.sync(() =>
          write(response, compressed(request, reply), count >= requestsPerConnection || request.httpVersion === "1.0")
        )
        // The peer went away in the middle of its body: there is nobody to answer.
      }).pipe(Effect.catchTag("UnknownException", () => Effect.sync(() => request.socket.destroy())))

    const server = NodeHttps.createServer(
      {
        ...keyAndCertificate(identities.original),
        ALPNProtocols: ["http/1.1"],
        minVersion: "TLSv1.2",
        keepAliveTimeout: idleMillis,
        headersTimeout: idleMillis,
        requestTimeout: idleMillis * 2,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: 8 * 1024
      },
      (request, response) => {
        // Some Nodes keep an idle connection for a second longer than they were told; pveproxy does not.
        response.once("finish", () => request.socket.setTimeout(idleMillis))
        run(answer(request, response))
      }
    )
    server.on("connection", (socket: Socket) => {
      ledger.opened(socket, before !== undefined && showsBefore ? before.name : served)
      alternate()
    })
    server.on("secureConnection", (socket: TLSSocket) => ledger.secured(socket))
    // What can't be understood, or never ends, gets no answer (platform-facts 11, item 11).
    server.on("clientError", (_, socket) => {
      if (socket instanceof Socket && socket.readable) silence(socket)
      else socket.destroy()
    })
    // The announced body is waited for in vain: whoever expects a 100 first is closed after the idle time.
    server.on("checkContinue", (request) => silence(request.socket))

    const outside = tlsOrRedirect(server, idleMillis, () => new Date(clock.unsafeCurrentTimeMillis()))
    const port = yield* listen(outside, options)
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    const serve = (name: CertificateName, alternating = 0): Effect.Effect<void> =>
      Effect.gen(function*() {
        const until = (yield* Clock.currentTimeMillis) + alternating * 1000 / sim.speed
        before = alternating > 0 ? { name: served, until } : undefined
        served = name
        server.setSecureContext(keyAndCertificate(identities[name]))
        yield* Effect.orDie(sim.change({ _tag: "certificate.set", certificate: leafInfo(identities[name]) }))
      })
    yield* serve("original")
    const host = options.host.includes(":") ? `[${options.host}]` : options.host
    return {
      url: `https://${host}:${port}`,
      wire: Effect.sync(() => ledger.counts()),
      certificates: Effect.sync(() => ({
        served,
        original: shown(identities.original),
        renewed: shown(identities.renewed),
        foreign: shown(identities.foreign)
      })),
      serve
    }
  })
