import { it } from "@effect/vitest"
import { layer as hubLayer } from "@felhom/hub/Serve"
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-hub-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const hubIn = (data: string) =>
  Layer.fresh(
    hubLayer({ listen: { host: "127.0.0.1", port: 0 }, data, reportIntervalSeconds: 30, maxStoreBytes: 1e9 })
  )

it.scopedLive("a second hub on the same folder does not start, and names the folder", () =>
  Effect.gen(function*() {
    const data = yield* folder
    yield* Effect.scoped(
      Effect.gen(function*() {
        yield* Layer.build(hubIn(data))
        const error = yield* Effect.flip(Effect.scoped(Layer.build(hubIn(data))))
        expect(error.message).toContain(`another hub serves the folder ${data}`)
        expect(error.message).toContain("--data")
      })
    )
    yield* Effect.scoped(Layer.build(hubIn(data)))
  }))
