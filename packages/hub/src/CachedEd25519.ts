import { Ed25519 } from "@felhom/domain/port/Ed25519"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { Effect, Layer } from "effect"
import { createPublicKey, type KeyObject, verify } from "node:crypto"

/** What stands before the 32 bytes of an ed25519 key in DER (RFC 8410). */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex")

/** So many keys are kept read; beyond that all are read anew. */
const kept = 20_000

/**
 * The curve for who verifies the same hosts' signatures all day: to read a public key takes OpenSSL as long as to verify with it,
 * so each is read once.
 */
export const layer: Layer.Layer<Ed25519> = Layer.effect(
  Ed25519,
  Effect.map(Ed25519, (curve) => {
    const keys = new Map<string, KeyObject>()
    const keyOf = (publicKey: Uint8Array): KeyObject => {
      const name = Buffer.from(publicKey).toString("base64")
      const known = keys.get(name)
      if (known !== undefined) return known
      const read = createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: "der", type: "spki" })
      if (keys.size >= kept) keys.clear()
      keys.set(name, read)
      return read
    }
    const verified = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
      try {
        return verify(null, message, keyOf(publicKey), signature)
      } catch {
        // OpenSSL does not take these 32 bytes for a key; nothing was signed by it.
        return false
      }
    }
    return Ed25519.of({
      ...curve,
      verify: (publicKey, message, signature) => Effect.sync(() => verified(publicKey, message, signature))
    })
  })
).pipe(Layer.provide(NodeEd25519.layer))
