import { describe, it } from "@effect/vitest"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked, readRevocationList } from "@felhom/authz/RevocationList"
import { mostSignatures, verifyThreshold } from "@felhom/authz/Threshold"
import { usualDemands } from "@felhom/authz/VerifySignature"
import { EpochMillis } from "@felhom/domain/Time"
import { Effect } from "effect"
import { expect } from "vitest"
import { bytes, crypto, keyText, namespace, newKey, signedBy } from "./Signing.ts"

const message = `{"op":"guest.destroy"}`

/** Anna with two keys, Ben with one; what each signed, and the rules for judging it. */
const household = Effect.gen(function*() {
  const [anna, annaToo, ben] = [yield* newKey, yield* newKey, yield* newKey]
  const list = [`anna ${keyText(anna)}`, `anna ${keyText(annaToo)}`, `ben ${keyText(ben)}`]
  const judgement = (lines: ReadonlyArray<string>, revoked: ReadonlyArray<string> = []) =>
    Effect.gen(function*() {
      return {
        message: bytes(message),
        namespace,
        at: EpochMillis.make(1_800_000_000_000),
        signers: yield* readAllowedSigners(bytes(lines.join("\n"))),
        revoked: revoked.length === 0 ? nothingRevoked : yield* readRevocationList(bytes(revoked.join("\n"))),
        demands: usualDemands
      }
    })
  return {
    keys: { anna, annaToo, ben },
    signatures: {
      anna: yield* signedBy(anna, message),
      annaToo: yield* signedBy(annaToo, message),
      ben: yield* signedBy(ben, message)
    },
    list,
    judgement
  }
})

describe("where two signers are needed", () => {
  it.effect("two who signed the same bytes are enough", () =>
    Effect.gen(function*() {
      const { judgement, list, signatures } = yield* household
      const signers = yield* verifyThreshold([signatures.anna, signatures.ben], yield* judgement(list), 2)
      expect(signers.map(({ principal }) => principal)).toEqual(["anna", "ben"])
    }).pipe(Effect.provide(crypto)))

  it.effect("one is not, however often and with however many keys", () =>
    Effect.gen(function*() {
      const { judgement, list, signatures } = yield* household
      const rules = yield* judgement(list)
      for (const some of [[], [signatures.anna, signatures.anna], [signatures.anna, signatures.annaToo]]) {
        const error = yield* Effect.flip(verifyThreshold(some, rules, 2))
        expect(error.reason).toBe("threshold")
      }
    }).pipe(Effect.provide(crypto)))

  it.effect("one key under two names counts for nobody", () =>
    Effect.gen(function*() {
      const { judgement, keys, signatures } = yield* household
      const twice = [`anna ${keyText(keys.anna)}`, `carl ${keyText(keys.anna)}`, `ben ${keyText(keys.ben)}`]
      const pattern = [`*na ${keyText(keys.anna)}`, `ben ${keyText(keys.ben)}`]
      for (const lines of [twice, pattern]) {
        const both = verifyThreshold([signatures.anna, signatures.ben], yield* judgement(lines), 2)
        expect((yield* Effect.flip(both)).message).toMatch(
          /not counted: ambiguous: the key SHA256:\S{43} is listed under more than one plain name/
        )
      }
    }).pipe(Effect.provide(crypto)))

  it.effect("one whose key was revoked no longer counts, and the message says so", () =>
    Effect.gen(function*() {
      const { judgement, keys, list, signatures } = yield* household
      const rules = yield* judgement(list, [keyText(keys.ben)])
      const error = yield* Effect.flip(verifyThreshold([signatures.anna, signatures.ben], rules, 2))
      expect(error.message).toContain("1 of the 2 signers")
      expect(error.message).toContain("revoked")
    }).pipe(Effect.provide(crypto)))

  it.effect("a bad signature beside two good ones takes nothing away", () =>
    Effect.gen(function*() {
      const { judgement, keys, list, signatures } = yield* household
      const other = yield* signedBy(keys.ben, "another message")
      const some = ["no signature at all", other, signatures.anna, signatures.ben]
      expect(yield* verifyThreshold(some, yield* judgement(list), 2)).toHaveLength(2)
    }).pipe(Effect.provide(crypto)))

  it.effect("more signatures than anybody needs are not even looked at", () =>
    Effect.gen(function*() {
      const { judgement, list, signatures } = yield* household
      const many = Array.from({ length: mostSignatures + 1 }, (_, index) =>
        index === 0 ? signatures.anna : signatures.ben)
      expect((yield* Effect.flip(verifyThreshold(many, yield* judgement(list), 2))).reason).toBe("threshold")
    }).pipe(Effect.provide(crypto)))
})

describe("where one signer is needed", () => {
  it.effect("a refusal gives that signature's own reason", () =>
    Effect.gen(function*() {
      const { judgement, list, signatures } = yield* household
      const rules = yield* judgement(list)
      const error = yield* Effect.flip(verifyThreshold([signatures.anna], { ...rules, message: bytes("{}") }, 1))
      expect(error.reason).toBe("signature")
      for (const threshold of [0, -1, 0.5, Number.NaN]) {
        expect((yield* Effect.flip(verifyThreshold([signatures.anna], rules, threshold))).reason).toBe("threshold")
      }
    }).pipe(Effect.provide(crypto)))
})
