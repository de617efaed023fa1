import { it } from "@effect/vitest"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect } from "effect"
import { expect } from "vitest"

const options = { commonName: "demo", altNames: ["localhost", "127.0.0.1", "::1"], days: 30 }

it.live("renews a certificate with its key: a new leaf, the same SPKI", () =>
  Effect.gen(function*() {
    const first = yield* TlsIdentity.make(options)
    const renewed = yield* TlsIdentity.make({ ...options, privateKeyPem: first.privateKeyPem })
    const other = yield* TlsIdentity.make(options)
    expect(renewed.leafSha256).not.toBe(first.leafSha256)
    expect(renewed.spkiSha256).toBe(first.spkiSha256)
    expect(other.spkiSha256).not.toBe(first.spkiSha256)
  }))
