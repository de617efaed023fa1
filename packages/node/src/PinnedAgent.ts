import { formatFingerprint, type PeerPin, type PeerPins, PinMismatch } from "@felhom/domain/PeerPin"
import type { X509Certificate } from "node:crypto"
import type { ClientRequest } from "node:http"
import { Agent, type RequestOptions } from "node:https"
import { isIP, Socket } from "node:net"
import type { Duplex } from "node:stream"
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls"
import { sha256 } from "./NodeCrypto.ts"

/** No connection with a finished handshake in time. Nothing was sent. */
export class ConnectTimeout extends Error {
  override readonly name = "ConnectTimeout"
  // The code that clients look for when they decide whether anything can have been carried out.
  readonly code = "UND_ERR_CONNECT_TIMEOUT"
  constructor(peer: string) {
    super(`${peer} did not finish a TLS handshake within ${connectTimeoutMillis / 1000} s; nothing was sent`)
  }
}

const connectTimeoutMillis = 10_000
// pveproxy answers a synchronous call after 30 s at the latest (platform-facts 3.5); callers set their own limit above that.
// This ends a call whose caller set none.
const answerTimeoutMillis = 90_000
// pveproxy closes a connection that was idle for 5 s (platform-facts 3.5); a write must not meet that moment.
const idleTimeoutMillis = 3_000

// Each hash is made when it is asked for: that of the key takes as long as a handshake, and few pins name a key.
const shown = (certificate: X509Certificate | undefined) =>
  certificate === undefined ? undefined : {
    get leaf() {
      return sha256(certificate.raw)
    },
    get spki() {
      return sha256(certificate.publicKey.export({ type: "spki", format: "der" }))
    }
  }

const mismatch = (peer: string, pins: ReadonlyArray<PeerPin>, socket: TLSSocket): PinMismatch | undefined => {
  const found = shown(socket.getPeerX509Certificate())
  if (found === undefined) return new PinMismatch({ peer, leaf: null, spki: null })
  return pins.some((pin) => pin.sha256 === found[pin.kind])
    ? undefined
    : new PinMismatch({ peer, leaf: formatFingerprint(found.leaf), spki: formatFingerprint(found.spki) })
}

/** An address as a socket takes it: that of IPv6 without the brackets that it has in a URL. */
export const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, "$1")

// One for all connections: made for each, it would cost more than the rest of a handshake. It trusts no authority: the pin is the
// whole check, and the list of all authorities would only weigh. It holds nothing of any peer.
let context: SecureContext | undefined
const secureContext = (): SecureContext => (context ??= createSecureContext({ ca: [] }))

/**
 * Node's pool of TLS connections, into which a connection is only put after the peer's leaf certificate or its key (SHA-256,
 * of the DER) matched one of `pins`: a request gets its connection after that, so no byte of it can be sent before.
 *
 * A connection that is idle for 3 s or silent for 90 s is closed. One whose answer says `Connection: close` is not used
 * again, unless pveproxy's own `Keep-Alive` stands behind it (PinnedHttp).
 */
export class PinnedAgent extends Agent {
  readonly #peer: string
  readonly #pins: PeerPins
  readonly #opening = new Set<TLSSocket>()

  constructor(peer: string, pins: PeerPins) {
    super({ keepAlive: true })
    this.#peer = peer
    this.#pins = pins
  }

  // Connections to one place are alike here: Node's own name has each option of TLS in it, and is made ten times a request.
  override getName(options: RequestOptions = {}): string {
    return `${options.host ?? "localhost"}:${options.port ?? 443}`
  }

  override createConnection(
    options: RequestOptions,
    callback: (error: Error | null, stream: Duplex) => void
  ): undefined {
    const host = unbracketed(options.host ?? "localhost")
    const socket = connect({
      host,
      port: Number(options.port ?? 443),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["http/1.1"],
      secureContext: secureContext(),
      // The pin is the whole check. Node's own would refuse the self-signed certificate that the pin names, and it never asks
      // checkServerIdentity about one. No session is passed on either: a resumed one shows no certificate.
      rejectUnauthorized: false
    })
    this.#opening.add(socket)
    const settle = (error: Error | null): void => {
      clearTimeout(timer)
      this.#opening.delete(socket)
      socket.off("error", settle).off("close", closed).off("secureConnect", secured)
      if (error !== null) {
        // What the socket still has to say about its end is the same story.
        socket.on("error", () => undefined)
        socket.destroy()
      }
      callback(error, socket)
    }
    const closed = () => settle(new Error(`${this.#peer} ended the connection before the TLS handshake was done`))
    const secured = () => {
      const refused = mismatch(this.#peer, this.#pins, socket)
      if (refused !== undefined) {
        settle(refused)
        return
      }
      socket.setTimeout(answerTimeoutMillis)
      socket.on("timeout", () => {
        // Nobody waits on an idle one, so its end is no error, and Node makes no stack trace for it.
        socket.destroy(socket.timeout === idleTimeoutMillis ? undefined : new Error(`${this.#peer} fell silent`))
      })
      settle(null)
    }
    const timer = setTimeout(() => settle(new ConnectTimeout(this.#peer)), connectTimeoutMillis)
    socket.on("error", settle).on("close", closed).on("secureConnect", secured)
  }

  override keepSocketAlive(socket: Duplex): boolean {
    super.keepSocketAlive(socket)
    if (socket instanceof Socket) socket.setTimeout(idleTimeoutMillis)
    return true
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    super.reuseSocket(socket, request)
    if (socket instanceof Socket) socket.setTimeout(answerTimeoutMillis)
  }

  override destroy(): void {
    for (const socket of this.#opening) socket.destroy()
    super.destroy()
  }
}
