import { Sha256Hex } from "@felhom/domain/Sha256"
import "reflect-metadata" // @peculiar/x509 needs it, before itself
import * as x509 from "@peculiar/x509"
import { Clock, Effect } from "effect"
import { createHash, createPrivateKey, createPublicKey, webcrypto, X509Certificate } from "node:crypto"

/** A server's private key and self-signed certificate, with the two hashes that a client may pin. */
export interface TlsIdentity {
  readonly certificatePem: string
  readonly privateKeyPem: string
  readonly leafSha256: Sha256Hex
  readonly spkiSha256: Sha256Hex
  /** Milliseconds since the epoch. */
  readonly notAfter: number
}

const digest = (bytes: Uint8Array): Sha256Hex => Sha256Hex.make(createHash("sha256").update(bytes).digest("hex"))

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const

/** The hashes of a certificate that is already there, for a server that keeps its own between starts. */
export const fromPem = (certificatePem: string, privateKeyPem: string): TlsIdentity => {
  const certificate = new X509Certificate(certificatePem)
  return {
    certificatePem,
    privateKeyPem,
    leafSha256: digest(certificate.raw),
    spkiSha256: digest(certificate.publicKey.export({ type: "spki", format: "der" })),
    notAfter: Date.parse(certificate.validTo)
  }
}

const keysFrom = (privateKeyPem: string | undefined) =>
  privateKeyPem === undefined
    ? webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
    : importKeys(privateKeyPem)

const importKeys = async (privateKeyPem: string) => {
  const privateKey = createPrivateKey(privateKeyPem)
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" })
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" })
  return {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", spki, algorithm, true, ["verify"])
  }
}

/**
 * Makes a self-signed certificate (ECDSA P-256). With `privateKeyPem` it is issued for that key again, as Proxmox renews its
 * own: the leaf's fingerprint changes and the SPKI's stays (platform-facts 3.6).
 */
export const make = (options: {
  readonly commonName: string
  /** Host names and IP addresses. */
  readonly altNames: ReadonlyArray<string>
  readonly days: number
  readonly privateKeyPem?: string
}): Effect.Effect<TlsIdentity> =>
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    return yield* Effect.promise(async () => {
      x509.cryptoProvider.set(webcrypto as Crypto)
      const keys = await keysFrom(options.privateKeyPem)
      const certificate = await x509.X509CertificateGenerator.createSelfSigned({
        name: [{ CN: [options.commonName] }],
        notBefore: new Date(now - 60_000),
        notAfter: new Date(now + options.days * 86_400_000),
        signingAlgorithm: algorithm,
        keys,
        extensions: [
          new x509.BasicConstraintsExtension(false),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            options.altNames.map((name) => ({
              type: /^[\d.]+$|:/.test(name) ? "ip" as const : "dns" as const,
              value: name
            }))
          )
        ]
      })
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey))
      const privateKeyPem = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" })
        .export({ type: "pkcs8", format: "pem" })
        .toString()
      return fromPem(certificate.toString("pem"), privateKeyPem)
    })
  })
