import { describe, it } from "@effect/vitest"
import { type Attachment, attachmentOf } from "@felhom/authz/OpAttachment"
import { longestDocument } from "@felhom/domain/Envelope"
import { decodeSignedOp, opType } from "@felhom/domain/SignedOp"
import { encodeAttachedSigners } from "@felhom/domain/SignersDocument"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Either, Encoding, TestClock } from "effect"
import { expect } from "vitest"
import { makeFiles, paths, policy, sha256, signedText, textOf } from "./Fleet.ts"
import { bytes, keyText, newKey } from "./Signing.ts"

const now = 1_800_000_000_000

const opOf = (op: object) =>
  Either.getOrThrow(decodeSignedOp(bytes(JSON.stringify({
    typ: opType,
    host: "5".repeat(32),
    hostEpoch: "6".repeat(32),
    nonce: "a".repeat(32),
    iat: now,
    nbf: now,
    exp: now + 3_600_000,
    storeSeqMin: 0,
    reason: "as the test wants it",
    params: {},
    ...op
  }))))

const release = opOf({ op: "hold.release", target: {}, expect: { since: 5 } })
const widening = (text: string) =>
  opOf({ op: "policy.widen", target: { sha256: sha256(text) }, expect: { sha256: null } })
const updating = (text: string, version: number) =>
  opOf({
    op: "signers.update",
    target: { sha256: sha256(text) },
    params: { version },
    expect: { version: 0, sha256: sha256("") }
  })

/** A host that two must sign for, and a list that does not continue from its own. */
const household = Effect.gen(function*() {
  yield* TestClock.setTime(now)
  const [anna, ben, carl, eve] = [yield* newKey, yield* newKey, yield* newKey, yield* newKey]
  const rootList = `anna ${keyText(anna)}\nben ${keyText(ben)}\n`
  const text = textOf({
    version: 5,
    from: { allowedSigners: "another list" },
    allowedSigners: `carl ${keyText(carl)}\neve ${keyText(eve)}\n`,
    keys: []
  })
  const files = makeFiles({ [paths.signers]: rootList, [paths.policy]: policy({ threshold: 2 }) })
  return { files, text, both: yield* signedText(text, [carl, eve]), one: yield* signedText(text, [carl]) }
}).pipe(Effect.provide(ed25519))

const answer = (op: Parameters<typeof attachmentOf>[0], document: string | undefined) =>
  attachmentOf(op, document).pipe(Effect.match({
    onFailure: ({ detail, reason }) => `${reason}: ${detail}`,
    onSuccess: (found: Attachment | null) => (found === null ? "nothing" : found.op)
  }))

const encoded = (document: string | Uint8Array) => Encoding.encodeBase64(document)

describe("what comes with an op", () => {
  it.effect("is the document that it names: all of it, and nothing for an op that names none", () =>
    Effect.gen(function*() {
      const { files } = yield* household
      const op = widening("{}")
      yield* Effect.gen(function*() {
        expect(yield* answer(release, undefined)).toBe("nothing")
        expect(yield* answer(release, "e30=")).toBe("document-unexpected: hold.release takes no document")
        expect(yield* answer(op, undefined)).toBe(
          `document-missing: the document ${sha256("{}")} did not come with it`
        )
        const tooLong = "document-size: the document that came with it is longer than 262144 bytes"
        for (const length of [longestDocument + 1, longestDocument + 2, 2 * longestDocument]) {
          expect(yield* answer(op, encoded("x".repeat(length))), String(length)).toBe(tooLong)
        }
        expect(yield* answer(op, encoded("x".repeat(longestDocument)))).toMatch(
          /^document-hash: what came with it is not/
        )
        // Nor is it decoded then.
        expect(yield* answer(op, "!".repeat(349_529))).toBe(tooLong)
        expect(yield* answer(op, "!".repeat(349_528))).toMatch(/^document-encoding: /)
        expect(yield* answer(op, "no base64!")).toMatch(/^document-encoding: the document that came with it: /)
      }).pipe(Effect.provide(files.layer))
    }))

  it.effect("is for signers.update a signed list that the host may adopt", () =>
    Effect.gen(function*() {
      const { both, files, one, text } = yield* household
      const op = updating(text, 5)
      const document = encoded(encodeAttachedSigners(both))
      yield* Effect.gen(function*() {
        expect(yield* attachmentOf(op, document)).toMatchObject({
          op: "signers.update",
          signed: both,
          version: { principals: ["carl", "eve"], next: { document: { version: 5 } } }
        })
        expect(yield* answer(op, encoded("{}"))).toMatch(/^document-content: it is no felhom\/signers\/v1: payload/)
        expect(yield* answer(op, encoded("no json"))).toMatch(/^document-content: it is no felhom\/signers\/v1/)
        expect(yield* answer(op, encoded(encodeAttachedSigners({ ...both, payload: "no base64!" })))).toMatch(
          /^document-encoding: the payload of the document that came with it: /
        )
        expect(yield* answer(updating(`${text} `, 5), document)).toBe(
          `document-hash: what came with it is not what was signed for, ${sha256(`${text} `)}`
        )
        expect(yield* answer(updating(text, 6), document)).toBe(
          "document-content: it is version 5, and the op says 6"
        )
        expect(yield* answer(op, encoded(encodeAttachedSigners(one)))).toMatch(
          /^document-content: signers refused \(threshold\): by the signers that it names: 1 of the 2 signers/
        )
      }).pipe(Effect.provide(files.layer))
    }))

  it.effect("is for policy.widen a policy that those who can sign now suffice for", () =>
    Effect.gen(function*() {
      const { files } = yield* household
      const asked = (signatures: object) => {
        const text = policy(signatures)
        return answer(widening(text), encoded(text))
      }
      yield* Effect.gen(function*() {
        const text = policy({ threshold: 1 })
        expect(yield* attachmentOf(widening(text), encoded(text))).toEqual({
          op: "policy.widen",
          document: bytes(text)
        })
        expect(yield* asked({ threshold: 2, thresholds: { "guest.destroy": 1 } })).toBe("policy.widen")
        expect(yield* asked({ threshold: 3 })).toBe("document-content: it asks for 3 signers, and 2 could sign now")
        expect(yield* asked({ thresholds: { "guest.destroy": 3 } })).toBe(
          "document-content: it asks for 3 signers, and 2 could sign now"
        )
        expect(yield* asked({ softwareKeys: false })).toBe(
          "document-content: it asks for 1 signers, and 0 could sign now"
        )
        expect(yield* asked({ threshold: 0 })).toMatch(/^document-content: it is no policy that this version knows: /)
        expect(yield* answer(widening("{}"), encoded("{} "))).toMatch(/^document-hash: /)
      }).pipe(Effect.provide(files.layer))
    }))

  it.effect("is not looked at on a host that nobody may sign for", () =>
    Effect.gen(function*() {
      const { files } = yield* household
      files.remove(paths.signers)
      const text = policy({ threshold: 1 })
      expect(yield* Effect.provide(answer(widening(text), encoded(text)), files.layer)).toMatch(/^no-signers: /)
    }))
})
