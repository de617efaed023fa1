import { describe, it } from "@effect/vitest"
import { hostPublicKey, reportNamespace } from "@felhom/domain/HostKey"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { signSshsig, verifySshsig, writeArmor } from "@felhom/domain/Sshsig"
import * as CachedEd25519 from "@felhom/hub/CachedEd25519"
import * as HostSignature from "@felhom/hub/HostSignature"
import { Effect, Either } from "effect"
import { expect } from "vitest"

const plain = new TextEncoder().encode("what the host said")
const other = new TextEncoder().encode("what it did not say")
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")

/** A host's key and its signature over `plain`. */
const signed = (namespace = reportNamespace) =>
  Effect.gen(function*() {
    const key = yield* Effect.flatMap(Ed25519, ({ generate }) => generate)
    return {
      publicKey: key.publicKey,
      pinned: hostPublicKey(key.publicKey),
      blob: yield* signSshsig(key, namespace, plain)
    }
  })

const verify = (message: Uint8Array, header: string, pinned: Parameters<HostSignature.HostSignature["verify"]>[3]) =>
  Effect.flatMap(
    HostSignature.make,
    (signatures) => Effect.either(signatures.verify(message, HostSignature.digestOf(message), header, pinned))
  )

describe("a report's signature", () => {
  it.effect("by the pinned key is armored as it came, and covers these bytes alone", () =>
    Effect.gen(function*() {
      const { blob, pinned } = yield* signed()
      expect(yield* verify(plain, base64(blob), pinned)).toEqual(Either.right(writeArmor(blob)))
      expect(yield* verify(other, base64(blob), pinned)).toMatchObject({ left: { reason: "signature" } })
      expect(yield* verify(plain, base64(blob), null)).toEqual(Either.right(writeArmor(blob)))
    }).pipe(Effect.provide(CachedEd25519.layer)))

  it.effect("by another key, or for another purpose, is refused", () =>
    Effect.gen(function*() {
      const [mine, yours, enrolment] = [yield* signed(), yield* signed(), yield* signed("enrol.v1@felhom.eu")]
      expect(yield* verify(plain, base64(yours.blob), mine.pinned)).toMatchObject({ left: { reason: "other-key" } })
      expect(yield* verify(plain, base64(enrolment.blob), enrolment.pinned)).toMatchObject({
        left: { reason: "namespace" }
      })
      expect(yield* verify(plain, `${base64(mine.blob)} `, mine.pinned)).toMatchObject({ left: { reason: "blob" } })
    }).pipe(Effect.provide(CachedEd25519.layer)))

  it.effect("with any one byte changed is refused for the reason that the strict reader gives", () =>
    Effect.gen(function*() {
      const { blob, pinned, publicKey } = yield* signed()
      for (const index of blob.keys()) {
        const changed = blob.slice()
        changed[index] = (changed[index] ?? 0) ^ 1
        const strict = yield* Effect.either(
          verifySshsig({ blob: changed, namespace: reportNamespace, message: plain, expected: publicKey })
        )
        const found = yield* verify(plain, base64(changed), pinned)
        expect(Either.isLeft(found)).toBe(true)
        expect(found).toEqual(strict)
      }
    }).pipe(Effect.provide(CachedEd25519.layer)))
})
