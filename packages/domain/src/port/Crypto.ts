import { Context, type Effect } from "effect"
import type { Sha256Hex } from "../Sha256.ts"

/** Hashes and randomness. A service, so that a test can own the randomness and lower floors stay free of Node. */
export class Crypto extends Context.Tag("felhom/domain/Crypto")<Crypto, {
  /** SHA-256 of the bytes, or of the text's UTF-8. */
  readonly sha256: (data: Uint8Array | string) => Effect.Effect<Sha256Hex>
  /** `bytes` random bytes from the system's generator, in lower-case hex. */
  readonly randomHex: (bytes: number) => Effect.Effect<string>
}>() {}
