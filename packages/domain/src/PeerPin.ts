import { Either, Predicate, Schema } from "effect"
import type { Sha256Hex } from "./Sha256.ts"

/**
 * What a peer must show before a byte is sent to it: the SHA-256 of its leaf certificate (DER), or of that certificate's
 * public key (SPKI). A self-signed Proxmox certificate is renewed with the same key, so its SPKI pin survives the renewal
 * (platform-facts 3.6).
 */
export type PeerPin = { readonly kind: "leaf" | "spki"; readonly sha256: Sha256Hex }

/** At least one pin: any one of them lets a peer in. Two serve while a certificate is exchanged. */
export type PeerPins = readonly [PeerPin, ...Array<PeerPin>]

/** A pin that can't be read. `text` is empty when a list names none at all. */
export class PeerPinError extends Schema.TaggedError<PeerPinError>()("PeerPinError", { text: Schema.String }) {
  override get message(): string {
    return `${
      this.text === "" ? "an empty text" : JSON.stringify(this.text)
    } is not a fingerprint: expected the certificate's SHA-256 as 64 hex digits, with or without colons ` +
      "(pvenode cert info; openssl x509 -noout -fingerprint -sha256), or spki: and the SHA-256 of its public key"
  }
}

const hexOf = (text: string): Sha256Hex | undefined => {
  const hex = text.replaceAll(":", "").toLowerCase()
  return /^[0-9a-f]{64}$/.test(hex) ? hex as Sha256Hex : undefined
}

/** Reads `AA:BB:…` or `aabb…` as a leaf pin and `spki:AA:BB:…` as a pin on the public key. */
export const parsePeerPin = (text: string): Either.Either<PeerPin, PeerPinError> => {
  const trimmed = text.trim()
  const kind = trimmed.toLowerCase().startsWith("spki:") ? "spki" : "leaf"
  const sha256 = hexOf(kind === "spki" ? trimmed.slice("spki:".length) : trimmed)
  return sha256 === undefined ? Either.left(new PeerPinError({ text: trimmed })) : Either.right({ kind, sha256 })
}

/**
 * Reads one pin or several, with commas or spaces between them. `Left` at the first that can't be read, and for a list
 * without any: nothing may be reached without a pin.
 */
export const parsePins = (text: string): Either.Either<PeerPins, PeerPinError> =>
  Either.flatMap(
    Either.all(text.split(/[\s,]+/).filter((part) => part !== "").map(parsePeerPin)),
    ([first, ...others]) =>
      first === undefined ? Either.left(new PeerPinError({ text: "" })) : Either.right([first, ...others] as const)
  )

/** `AA:BB:…` as Proxmox prints it. */
export const formatFingerprint = (sha256: Sha256Hex): string => (sha256.toUpperCase().match(/../g) ?? []).join(":")

/** The peer showed a certificate that no pin names. Nothing was sent to it. */
export class PinMismatch extends Schema.TaggedError<PinMismatch>()("PinMismatch", {
  /** `host:port` */
  peer: Schema.String,
  /** What it showed, as `AA:BB:…`; null when it showed no certificate at all. */
  leaf: Schema.NullOr(Schema.String),
  spki: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return this.leaf === null
      ? `${this.peer} showed no certificate; nothing was sent to it`
      : `${this.peer} shows a certificate that no pin names: SHA-256 ${this.leaf}. Nothing was sent to it. ` +
        "Compare that fingerprint on the peer's own console; if it is right, add it as a second pin, else find out who answers there"
  }
}

// Wrapped twice in practice: by the connector, then by Effect's RequestError. The bound ends a chain that is a circle.
const deepestCause = 8

/** The `PinMismatch` that an error is, or that its chain of causes holds, if there is one. */
export const pinMismatchOf = (error: unknown): PinMismatch | undefined => {
  let current = error
  for (let depth = 0; depth < deepestCause; depth += 1) {
    if (current instanceof PinMismatch) return current
    if (!Predicate.hasProperty(current, "cause")) return undefined
    current = current.cause
  }
  return undefined
}
