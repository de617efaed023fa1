import { Effect, Either, Encoding, Schema } from "effect"
import { Ed25519 } from "./port/Ed25519.ts"
import { isSmallOrder } from "./SmallOrderKey.ts"
import { decodeCanonicalBase64, publicKeyBlob } from "./Sshsig.ts"

/** What a host key may sign (protocol 1): a signature made for the one never counts for the other. */
export const reportNamespace = "report.v1@felhom.eu"
export const enrolNamespace = "enrol.v1@felhom.eu"

/** The header in which a report's signature travels: the SSHSIG blob over the unpacked body, in base64. */
export const signatureHeader = "felhom-signature"

/** The 32 bytes of a host's public key, in base64. */
export const HostPublicKey = Schema.String.pipe(
  Schema.filter((text) =>
    Either.match(decodeCanonicalBase64(text), {
      onLeft: () => false,
      onRight: (bytes) => bytes.length === 32 && !isSmallOrder(bytes)
    }), { message: () => "a host's public key is the 32 bytes of an ed25519 key in base64" }),
  Schema.brand("HostPublicKey")
)
export type HostPublicKey = typeof HostPublicKey.Type

export const hostPublicKey = (bytes: Uint8Array): HostPublicKey => HostPublicKey.make(Encoding.encodeBase64(bytes))

export const hostPublicKeyBytes = (key: HostPublicKey): Uint8Array => Either.getOrThrow(Encoding.decodeBase64(key))

const digest = (key: HostPublicKey): Effect.Effect<Uint8Array, never, Ed25519> =>
  Effect.flatMap(Ed25519, (curve) => curve.digest("sha256", publicKeyBlob(hostPublicKeyBytes(key))))

/** `SHA256:` and the hash of the key's blob in base64 without padding, as `ssh-keygen -l` shows it. */
export const keyFingerprint = (key: HostPublicKey): Effect.Effect<string, never, Ed25519> =>
  Effect.map(digest(key), (hash) => `SHA256:${Encoding.encodeBase64(hash).replace(/=+$/, "")}`)

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

/**
 * The short code that a person compares: four groups of four letters, the first 80 bits of the hash that the fingerprint is.
 * It is derived from the key wherever it is shown, and never taken from the wire.
 */
export const hostCode = (key: HostPublicKey): Effect.Effect<string, never, Ed25519> =>
  Effect.map(digest(key), (hash) => {
    const bits = Array.from(hash.slice(0, 10), (byte) => byte.toString(2).padStart(8, "0")).join("")
    const letters = (bits.match(/.{5}/g) ?? []).map((five) => base32[Number.parseInt(five, 2)])
    return (letters.join("").match(/.{4}/g) ?? []).join("-")
  })

/** A code as a person typed it, in the form that `hostCode` gives; undefined when it is none. */
export const readCode = (typed: string): string | undefined => {
  const letters = typed.toUpperCase().replace(/[\s-]/g, "")
  return /^[A-Z2-7]{16}$/.test(letters) ? (letters.match(/.{4}/g) ?? []).join("-") : undefined
}

/** What a host signs to get its Bearer: a hub's challenge, for one host. */
export const claimBytes = (host: string, challenge: string): Uint8Array =>
  new TextEncoder().encode(`felhom/enrol/v1\n${host}\n${challenge}\n`)
