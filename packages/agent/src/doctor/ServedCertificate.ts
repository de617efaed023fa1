import type { Sha256Hex } from "@felhom/domain/Sha256"
import { sha256 } from "@felhom/node/NodeCrypto"
import { Context, Effect, Either, Layer, Schema } from "effect"
import { X509Certificate } from "node:crypto"
import * as NodeTls from "node:tls"

/** A certificate by what can be pinned of it. `notAfter` in milliseconds since the epoch. */
export interface Certificate {
  readonly leaf: Sha256Hex
  readonly spki: Sha256Hex
  readonly notAfter: number
}

/** Nobody answered the handshake at that address. */
export class NoHandshake extends Schema.TaggedError<NoHandshake>()("NoHandshake", {
  host: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `no TLS handshake with ${this.host}: ${this.detail}. Check the address (FELHOM_AGENT_PROXMOX_URL), and on the ` +
      "host: systemctl status pveproxy"
  }
}

/** What a peer shows in a TLS handshake. The connection ends there: nothing is sent over it, whoever it is. */
export class ServedCertificate extends Context.Tag("felhom/agent/doctor/ServedCertificate")<ServedCertificate, {
  readonly look: (url: URL) => Effect.Effect<Certificate, NoHandshake>
}>() {}

const certificateOf = (certificate: X509Certificate): Certificate => ({
  leaf: sha256(certificate.raw),
  spki: sha256(certificate.publicKey.export({ type: "spki", format: "der" })),
  notAfter: Date.parse(certificate.validTo)
})

/** Reads a certificate in PEM; `Left` when it is none. */
export const readPem = (pem: string): Either.Either<Certificate, string> =>
  Either.try({
    try: () => certificateOf(new X509Certificate(pem)),
    catch: () => "it can't be read as a certificate"
  })

const handshakeMillis = 10_000
const httpsPort = 443

const look = (url: URL): Effect.Effect<Certificate, NoHandshake> =>
  Effect.async<Certificate, NoHandshake>((resume) => {
    const failed = (detail: string) => resume(Effect.fail(new NoHandshake({ host: url.host, detail })))
    const socket = NodeTls.connect({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? httpsPort : Number(url.port),
      // Whoever it is, it is only looked at.
      rejectUnauthorized: false
    })
    socket.setTimeout(handshakeMillis, () => {
      socket.destroy()
      failed(`no answer within ${handshakeMillis / 1000} s`)
    })
    socket.on("error", (error) => failed(error.message))
    socket.on("secureConnect", () => {
      const certificate = socket.getPeerX509Certificate()
      socket.destroy()
      if (certificate === undefined) failed("it showed no certificate")
      else resume(Effect.succeed(certificateOf(certificate)))
    })
    return Effect.sync(() => socket.destroy())
  })

export const layer: Layer.Layer<ServedCertificate> = Layer.succeed(ServedCertificate, { look })
