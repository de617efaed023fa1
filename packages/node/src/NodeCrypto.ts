import { Crypto } from "@felhom/domain/port/Crypto"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { Effect, Layer } from "effect"
import * as NodeCryptoModule from "node:crypto"

/** SHA-256 of bytes or of a text's UTF-8, without an effect: for the few places in this package that sit in a callback. */
export const sha256 = (data: Uint8Array | string): Sha256Hex =>
  // What comes out is in the one form that it can have.
  Sha256Hex.make(NodeCryptoModule.hash("sha256", data), true)

/** Node's own. */
export const crypto = Crypto.of({
  sha256: (data) => Effect.sync(() => sha256(data)),
  randomHex: (bytes) => Effect.sync(() => NodeCryptoModule.randomBytes(bytes).toString("hex"))
})

export const layer: Layer.Layer<Crypto> = Layer.succeed(Crypto, crypto)
