import { type EcdsaCurve, type KeyMaterial, SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { Effect, Layer } from "effect"
import { createPublicKey, hash, type KeyObject, verify } from "node:crypto"
import { ed25519PublicKey } from "./NodeEd25519.ts"

const jwkCurve: { readonly [curve in EcdsaCurve]: string } = {
  nistp256: "P-256",
  nistp384: "P-384",
  nistp521: "P-521"
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

const keyObject = (key: KeyMaterial): KeyObject => {
  switch (key.kind) {
    case "ed25519":
      return ed25519PublicKey(key.point)
    case "ecdsa":
      return createPublicKey({
        format: "jwk",
        key: { kty: "EC", crv: jwkCurve[key.curve], x: base64url(key.x), y: base64url(key.y) }
      })
    case "rsa":
      return createPublicKey({
        format: "jwk",
        key: { kty: "RSA", n: base64url(key.modulus), e: base64url(key.exponent) }
      })
  }
}

// Making a key object costs a good part of a verification, and the keys of an allow-list stay the same objects for long.
const keyObjects = new WeakMap<KeyMaterial, KeyObject>()

const remembered = (key: KeyMaterial): KeyObject => {
  const found = keyObjects.get(key)
  if (found !== undefined) return found
  const made = keyObject(key)
  keyObjects.set(key, made)
  return made
}

/** Node's own. */
export const signatureCrypto: typeof SignatureCrypto.Service = SignatureCrypto.of({
  verify: ({ hash: algorithm, key, message, signature }) =>
    Effect.sync(() => {
      try {
        const object = remembered(key)
        switch (key.kind) {
          case "ed25519":
            return verify(null, message, object, signature)
          case "ecdsa":
            return verify(algorithm, message, { key: object, dsaEncoding: "ieee-p1363" }, signature)
          case "rsa":
            return verify(algorithm, message, object, signature)
        }
      } catch {
        // OpenSSL does not take this for a key; nothing was signed by it.
        return false
      }
    }),
  digest: (algorithm, data) => Effect.sync(() => new Uint8Array(hash(algorithm, data, "buffer")))
})

export const layer: Layer.Layer<SignatureCrypto> = Layer.succeed(SignatureCrypto, signatureCrypto)
