import type { HttpClient } from "@effect/platform"
import { NodeHttpClient, Undici } from "@effect/platform-node"
import { formatFingerprint, type PeerPin, type PeerPins, PinMismatch } from "@felhom/domain/PeerPin"
import { Effect, Layer } from "effect"
import type { X509Certificate } from "node:crypto"
import { TLSSocket } from "node:tls"
import { sha256 } from "./NodeCrypto.ts"

/** A URL that is not https reached the connector. Nothing was sent. */
export class PlaintextRefused extends Error {
  override readonly name = "PlaintextRefused"
  constructor(peer: string) {
    super(`${peer} was asked for over plain HTTP; nothing was sent. Only https URLs are used`)
  }
}

// pveproxy answers a synchronous call after 30 s at the latest (platform-facts 3.5); callers set their own limit above that.
// These end a call whose caller set none.
const answerTimeoutMillis = 90_000
const connectTimeoutMillis = 10_000
// pveproxy closes a connection that was idle for 5 s (platform-facts 3.5); a write must not meet that moment.
const idleTimeoutMillis = 3_000
// pveproxy hands everything to three blocking workers that serve everybody else too (platform-facts 3.5).
const connectionsAtMost = 2

const shown = (certificate: X509Certificate | undefined) =>
  certificate === undefined ? undefined : {
    leaf: sha256(certificate.raw),
    spki: sha256(certificate.publicKey.export({ type: "spki", format: "der" }))
  }

const mismatch = (peer: string, pins: ReadonlyArray<PeerPin>, socket: unknown): PinMismatch | undefined => {
  const found = shown(socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined)
  if (found === undefined) return new PinMismatch({ peer, leaf: null, spki: null })
  return pins.some((pin) => pin.sha256 === found[pin.kind])
    ? undefined
    : new PinMismatch({ peer, leaf: formatFingerprint(found.leaf), spki: formatFingerprint(found.spki) })
}

/** Gives undici a connection only after the peer's certificate was compared, so no byte of a request can be sent before. */
const pinnedConnector = (peer: string, pins: PeerPins): Undici.buildConnector.connector => {
  const connect = Undici.buildConnector({
    // The pin is the whole check. Node's own would refuse the self-signed certificate that the pin names, and it never asks
    // checkServerIdentity about one.
    rejectUnauthorized: false,
    // A resumed session shows no certificate.
    maxCachedSessions: 0,
    allowH2: false,
    timeout: connectTimeoutMillis
  })
  return (options, callback) => {
    if (options.protocol !== "https:") {
      callback(new PlaintextRefused(peer), null)
      return
    }
    connect(options, (...result) => {
      const [error, socket] = result
      if (error !== null) {
        callback(error, null)
        return
      }
      const refused = mismatch(peer, pins, socket)
      if (refused === undefined) {
        callback(null, socket)
        return
      }
      socket.destroy()
      callback(refused, null)
    })
  }
}

const agent = (peer: string, pins: PeerPins): Undici.Agent =>
  new Undici.Agent({
    connect: pinnedConnector(peer, pins),
    connections: connectionsAtMost,
    pipelining: 1,
    keepAliveTimeout: idleTimeoutMillis,
    // A peer's own Keep-Alive hint must not stretch it.
    keepAliveMaxTimeout: idleTimeoutMillis
  })

/**
 * An `HttpClient` that sends no byte before the peer's leaf certificate or its public key (SHA-256, of the DER) matched one of
 * `pins`. `peer` is what messages call it, best `host:port`.
 *
 * A peer that shows anything else fails a request with `RequestError` (reason `Transport`); `pinMismatchOf` of
 * domain/PeerPin takes the `PinMismatch` with the shown fingerprints out of it. http: URLs are refused, redirects are never
 * followed, proxy variables are not read, HTTP/2 and session resumption are off, and at most two connections are open.
 *
 * An open connection stays trusted when the peer's certificate changes; the next handshake decides again.
 */
export const layer = (
  options: { readonly peer: string; readonly pins: PeerPins }
): Layer.Layer<HttpClient.HttpClient> =>
  // Fresh: layers are built once for each reference, so two peers would otherwise share the first one's client, and its pins.
  Layer.fresh(NodeHttpClient.layerUndiciWithoutDispatcher).pipe(
    Layer.provide(Layer.scoped(
      NodeHttpClient.Dispatcher,
      Effect.acquireRelease(
        Effect.sync(() => agent(options.peer, options.pins)),
        (dispatcher) => Effect.promise(() => dispatcher.destroy())
      ).pipe(Effect.map((dispatcher) =>
        dispatcher.compose((dispatch) => (request, handler) =>
          // Effect's client asks undici to wait for an hour, and leaves it to its caller to give up earlier.
          dispatch({ ...request, headersTimeout: answerTimeoutMillis, bodyTimeout: answerTimeoutMillis }, handler)
        )
      ))
    ))
  )
