import { Context, type Effect, type Redacted, Schema } from "effect"

/** A private key that can't be read as an ed25519 key. It is never quoted. */
export class Ed25519KeyError extends Schema.TaggedError<Ed25519KeyError>()("Ed25519KeyError", {
  detail: Schema.String
}) {
  override get message(): string {
    return `it is not an ed25519 private key in PKCS#8 PEM: ${this.detail}`
  }
}

/** A private key as it is kept, in PKCS#8 PEM, with its public key of 32 bytes. */
export interface Ed25519Key {
  readonly privateKeyPem: Redacted.Redacted
  readonly publicKey: Uint8Array
}

/** The curve, and the hashes that signatures are made over. A service, so that lower floors stay free of Node. */
export class Ed25519 extends Context.Tag("felhom/domain/Ed25519")<Ed25519, {
  readonly generate: Effect.Effect<Ed25519Key>
  readonly read: (privateKeyPem: Redacted.Redacted) => Effect.Effect<Ed25519Key, Ed25519KeyError>
  /** The signature's 64 bytes. */
  readonly sign: (key: Ed25519Key, message: Uint8Array) => Effect.Effect<Uint8Array>
  /**
   * Whether the signature's 64 bytes are good for the message and the public key's 32 bytes. A point that is not on the curve
   * or S that is not below L is `false`; small-order keys are not told apart here (domain/Sshsig refuses them before).
   */
  readonly verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => Effect.Effect<boolean>
  readonly digest: (algorithm: "sha256" | "sha512", data: Uint8Array) => Effect.Effect<Uint8Array>
}>() {}
