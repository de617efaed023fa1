import { Context, type Effect } from "effect"

export type EcdsaCurve = "nistp256" | "nistp384" | "nistp521"

/** A public key without its wrapping. An object stands for its key: implementations may remember what they made of it. */
export type KeyMaterial =
  /** The 32 bytes of a compressed point. */
  | { readonly kind: "ed25519"; readonly point: Uint8Array }
  /** Both coordinates with the curve's full length; the point is on the curve. */
  | { readonly kind: "ecdsa"; readonly curve: EcdsaCurve; readonly x: Uint8Array; readonly y: Uint8Array }
  /** Big-endian, without leading zeros. */
  | { readonly kind: "rsa"; readonly exponent: Uint8Array; readonly modulus: Uint8Array }

/** What an operator's signature is checked with. A service, so that the rules about signatures stay free of Node. */
export class SignatureCrypto extends Context.Tag("felhom/domain/SignatureCrypto")<SignatureCrypto, {
  /**
   * Whether the signature is good for the message. It holds 64 bytes for ed25519, which hashes as it will; `r` and `s` in the
   * curve's full length for ecdsa; as many bytes as the modulus for RSA (PKCS #1 v1.5).
   */
  readonly verify: (signed: {
    readonly key: KeyMaterial
    readonly hash: "sha256" | "sha384" | "sha512"
    readonly message: Uint8Array
    readonly signature: Uint8Array
  }) => Effect.Effect<boolean>
  /** SHA-1 only names keys in revocation lists of that kind; nothing is trusted for it. */
  readonly digest: (algorithm: "sha1" | "sha256" | "sha512", data: Uint8Array) => Effect.Effect<Uint8Array>
}>() {}
