import { Crypto } from "@felhom/domain/port/Crypto"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { Effect, Layer } from "effect"

// Four FNV-1a hashes with different starts: no cryptography, but another text gives another hash.
const hash = (data: Uint8Array | string): Sha256Hex => {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
  const words = [1, 2, 3, 4, 5, 6, 7, 8].map((start) => {
    let value = (0x811c9dc5 ^ start) >>> 0
    for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193) >>> 0
    return (Math.imul(value ^ (value >>> 15), 0x2c1b3c6d + start * 2) >>> 0).toString(16).padStart(8, "0")
  })
  return Sha256Hex.make(words.join(""))
}

// Goes on over all starts of a test, as no two draws of real randomness are the same.
let count = 0

/** Hashes that need no Node, and randomness that is a counter. */
export const counting: typeof Crypto.Service = {
  sha256: (data) => Effect.sync(() => hash(data)),
  randomHex: (bytes) => Effect.sync(() => (count += 1).toString(16).padStart(bytes * 2, "0"))
}

export const testCrypto: Layer.Layer<Crypto> = Layer.succeed(Crypto, counting)
