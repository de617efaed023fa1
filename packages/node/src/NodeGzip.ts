import { Effect } from "effect"
import { gzip as gzipWith } from "node:zlib"

/** Packs with gzip, off the main thread. */
export const gzip = (bytes: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.async((resume) => {
    gzipWith(bytes, (error, packed) => resume(error === null ? Effect.succeed(packed) : Effect.die(error)))
  })
