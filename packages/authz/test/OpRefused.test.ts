import { describe, it } from "@effect/vitest"
import { OpRefused } from "@felhom/authz/OpRefused"
import { signatureAdvice, SignatureReason } from "@felhom/authz/SignatureRefused"
import { expect } from "vitest"

const refused = (reason: OpRefused["reason"]) =>
  new OpRefused({ reason, detail: "why", payload: null, action: null, subject: null })

describe("a refused op", () => {
  const [ofTheSignatures, own] = OpRefused.fields.reason.members

  it("says for each reason of its own what to do next", () => {
    for (const reason of own.literals) {
      const [says, next = ""] = refused(reason).message.split("; ", 2)
      expect(says).toBe(`refused (${reason}): why`)
      expect(next.length, reason).toBeGreaterThan(10)
      expect(next).not.toBe("undefined")
    }
    expect(refused("too-early").message).toBe(
      "refused (too-early): why; sign it anew, or submit it when its time has come"
    )
    expect(refused("nonce-spent").message).toMatch(/never done twice; sign it anew if it is still wanted$/)
  })

  it("gives the verifier's own advice where its signatures are why", () => {
    expect(ofTheSignatures.literals).toEqual(SignatureReason.literals)
    for (const reason of SignatureReason.literals) {
      expect(refused(reason).message).toBe(`refused (${reason}): why; ${signatureAdvice[reason]}`)
    }
  })
})
