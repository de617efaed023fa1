import { describe, expect, it } from "@effect/vitest"
import { ed25519 } from "@felhom/node/NodeEd25519"
import { Effect } from "effect"

const message = new TextEncoder().encode("what was signed")

/** More keys than are remembered at a time. */
const many = 70

describe("the points of public keys", () => {
  it.effect("are told apart however many there are, and again once they were forgotten", () =>
    Effect.gen(function*() {
      const keys = yield* Effect.replicateEffect(ed25519.generate, many)
      const signatures = yield* Effect.forEach(keys, (key) => ed25519.sign(key, message))
      for (const [at, key] of [...keys, ...keys].entries()) {
        const own = signatures[at % many] ?? new Uint8Array(64)
        const other = signatures[(at + 1) % many] ?? new Uint8Array(64)
        expect(yield* ed25519.verify(key.publicKey, message, own)).toBe(true)
        expect(yield* ed25519.verify(key.publicKey, message, other)).toBe(false)
      }
    }))
})
