import type { Socket } from "node:net"
import type { CertificateName } from "./HttpsFront.ts"

/** What one TLS connection brought. `applicationBytes` counts what came inside of TLS: 0 is a client that only looked. */
export interface ConnectionCount {
  readonly certificate: CertificateName
  readonly handshakeDone: boolean
  readonly applicationBytes: number
  readonly requests: number
  readonly open: boolean
}

interface Totals {
  readonly connections: number
  readonly handshakes: number
  readonly applicationBytes: number
  readonly requests: number
}

/** All connections since the start, summed up, by certificate, and the newest ones each. */
export interface WireCounts extends Totals {
  readonly perCertificate: { readonly [name in CertificateName]: Totals }
  readonly newest: ReadonlyArray<ConnectionCount>
}

interface Entry {
  readonly certificate: CertificateName
  tls: Socket | undefined
  bytes: number
  requests: number
  open: boolean
}

const noTotals: Totals = { connections: 0, handshakes: 0, applicationBytes: 0, requests: 0 }

const keptAtMost = 1000

// The raw socket and the TLS socket above it are two objects; what they share is the peer.
const peerOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`

const bytesOf = (entry: Entry): number =>
  entry.tls === undefined ? entry.bytes : Math.max(entry.bytes, entry.tls.bytesRead)

const add = (totals: Totals, entry: Entry): Totals => ({
  connections: totals.connections + 1,
  handshakes: totals.handshakes + (entry.tls === undefined ? 0 : 1),
  applicationBytes: totals.applicationBytes + bytesOf(entry),
  requests: totals.requests + entry.requests
})

/** Counts connections and what came over them. */
export class WireLedger {
  readonly #live = new Map<string, Entry>()
  #newest: Array<Entry> = []
  // Sums of the connections that are no longer kept one by one.
  readonly #older: { [name in CertificateName]: Totals } = { original: noTotals, renewed: noTotals, foreign: noTotals }

  opened(socket: Socket, certificate: CertificateName): void {
    const entry: Entry = { certificate, tls: undefined, bytes: 0, requests: 0, open: true }
    const peer = peerOf(socket)
    this.#live.set(peer, entry)
    this.#newest.push(entry)
    if (this.#newest.length > keptAtMost) {
      const [oldest] = this.#newest.splice(0, 1)
      if (oldest !== undefined) this.#older[oldest.certificate] = add(this.#older[oldest.certificate], oldest)
    }
    socket.once("close", () => {
      entry.bytes = bytesOf(entry)
      entry.open = false
      if (this.#live.get(peer) === entry) this.#live.delete(peer)
    })
  }

  secured(socket: Socket): void {
    const entry = this.#live.get(peerOf(socket))
    if (entry === undefined) return
    entry.tls = socket
    socket.once("close", () => {
      entry.bytes = bytesOf(entry)
    })
  }

  /** Which request of its connection this is, from 1. */
  request(socket: Socket): number {
    const entry = this.#live.get(peerOf(socket))
    if (entry === undefined) return 1
    entry.requests++
    return entry.requests
  }

  counts(): WireCounts {
    const perCertificate = { ...this.#older }
    for (const entry of this.#newest) perCertificate[entry.certificate] = add(perCertificate[entry.certificate], entry)
    const all = Object.values(perCertificate)
    const sum = (field: keyof Totals): number => all.reduce((total, one) => total + one[field], 0)
    return {
      connections: sum("connections"),
      handshakes: sum("handshakes"),
      applicationBytes: sum("applicationBytes"),
      requests: sum("requests"),
      perCertificate,
      newest: this.#newest.slice(-50).map((entry) => ({
        certificate: entry.certificate,
        handshakeDone: entry.tls !== undefined,
        applicationBytes: bytesOf(entry),
        requests: entry.requests,
        open: entry.open
      }))
    }
  }
}
