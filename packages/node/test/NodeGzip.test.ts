import { describe, expect, it } from "@effect/vitest"
import { gzip } from "@felhom/node/NodeGzip"
import { Effect } from "effect"
import { gunzipSync } from "node:zlib"

describe("what is packed", () => {
  it.live.each([0, 1, 16_384, 16_385, 1_000_000])("is unpacked to the same %d bytes", (size) =>
    Effect.gen(function*() {
      const bytes = new Uint8Array(size).map((_, index) => (index * 7919) >> 3)
      const packed = yield* gzip(bytes)
      expect(Buffer.compare(gunzipSync(packed), bytes)).toBe(0)
    }))
})
