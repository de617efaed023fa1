import { Effect } from "effect"
import { gzip as gzipWith, gzipSync } from "node:zlib"

// Of a report of a few guests that is a third of what the way over the thread pool costs; a loop that waits longer than a
// millisecond is another matter.
const atOnce = 16_384

/** Packs with gzip, and what is large off the main thread. */
export const gzip = (bytes: Uint8Array): Effect.Effect<Uint8Array> =>
  bytes.length <= atOnce
    ? Effect.sync(() => gzipSync(bytes))
    : Effect.async((resume) => {
      gzipWith(bytes, (error, packed) => resume(error === null ? Effect.succeed(packed) : Effect.die(error)))
    })
