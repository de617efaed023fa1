import { describe, it } from "@effect/vitest"
import { AllowedSignersError, readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { krlMagic } from "@felhom/authz/Krl"
import {
  bothRevoked,
  isRevoked,
  nothingRevoked,
  readRevocationList,
  RevocationListError
} from "@felhom/authz/RevocationList"
import {
  fromRevocations,
  fromSigners,
  fromSshsig,
  refused,
  signatureAdvice,
  SignatureReason
} from "@felhom/authz/SignatureRefused"
import { verifyThreshold } from "@felhom/authz/Threshold"
import { type Judgement, usualDemands, verifySignature } from "@felhom/authz/VerifySignature"
import { publicKeyBlob, SshsigError } from "@felhom/domain/Sshsig"
import { concatBytes, sshString, uint32 } from "@felhom/domain/SshWire"
import { Effect, Either } from "effect"
import { expect } from "vitest"
import { bytes, crypto, keyText, namespace, newKey, signedBy } from "./Signing.ts"
import { momentOf } from "./Vectors.ts"

const message = "the op"

/** Held against this allow-list at noon. */
const judgedBy = (lines: ReadonlyArray<string>): Effect.Effect<Judgement> =>
  Effect.map(Effect.orDie(readAllowedSigners(bytes(lines.join("\n")))), (signers) => ({
    message: bytes(message),
    namespace,
    at: momentOf("20260601120000Z"),
    signers,
    revoked: nothingRevoked,
    demands: usualDemands
  }))

describe("who asks for no name", () => {
  it.effect("is refused before anything is looked at; a name has 1 to 255 bytes", () =>
    Effect.gen(function*() {
      const key = yield* newKey
      const long = "é".repeat(127)
      const judgement = yield* judgedBy([`${long}x,anna ${keyText(key)}`])
      const signature = yield* signedBy(key, message)
      for (const principal of ["", "a\0b", `${long}xx`, "x".repeat(256)]) {
        const error = yield* Effect.flip(verifySignature(signature, judgement, principal))
        expect(error.message).toBe(
          "refused (request): the principal or the namespace that was asked for is no name; " +
            "ask with a principal and a namespace of 1 to 255 bytes"
        )
      }
      for (const principal of ["anna", `${long}x`]) {
        expect((yield* verifySignature(signature, judgement, principal)).signers).toHaveLength(1)
      }
      for (const other of ["", "a\0b", "x".repeat(256)]) {
        const error = yield* Effect.flip(verifySignature(signature, { ...judgement, namespace: other }))
        expect(error.reason).toBe("request")
      }
      const stranger = yield* Effect.flip(verifySignature(signature, judgement, "x".repeat(255)))
      expect(stranger.reason).toBe("principal")
    }).pipe(Effect.provide(crypto)))

  it.effect("is who has exactly these bytes, in whichever alphabet", () =>
    Effect.gen(function*() {
      const key = yield* newKey
      const judgement = yield* judgedBy([`ágnes ${keyText(key)}`])
      const signature = yield* signedBy(key, message)
      expect((yield* verifySignature(signature, judgement, "ágnes")).signers).toHaveLength(1)
      expect((yield* Effect.flip(verifySignature(signature, judgement, "agnes"))).reason).toBe("principal")
    }).pipe(Effect.provide(crypto)))
})

describe("a key on several lines", () => {
  it.effect("counts by those that hold now, and is refused for the first line's reason when none does", () =>
    Effect.gen(function*() {
      const key = yield* newKey
      const text = keyText(key)
      const lines = [
        `anna valid-before="20260101Z" ${text}`,
        `anna namespaces="file" ${text}`,
        `anna namespaces="op.*" ${text}`,
        `anna valid-after="20260601120000Z",valid-before="20260601120000Z" ${text}`,
        `anna ${text}`
      ].filter((_, index) => index !== 3)
      const signature = yield* signedBy(key, message)
      const found = yield* verifySignature(signature, yield* judgedBy(lines), "anna")
      expect(found.signers.map(({ line }) => line)).toEqual([3, 4])
      expect(found.touch).toBeUndefined()
      const later = yield* verifySignature(signature, yield* judgedBy(lines.slice(2)), "anna")
      expect(later.signers.map(({ line }) => line)).toEqual([1, 2])
      const error = yield* Effect.flip(verifySignature(signature, yield* judgedBy(lines.slice(0, 2)), "anna"))
      expect(error.message).toBe(
        "refused (expired): line 1 of the allow-list let the key sign until 2026-01-01T00:00:00.000Z, " +
          "and it is 2026-06-01T12:00:00.000Z; let a signer sign whose time has not run out"
      )
    }).pipe(Effect.provide(crypto)))

  it.effect("counts at the first and at the last moment of its time, and not beside them", () =>
    Effect.gen(function*() {
      const key = yield* newKey
      const judgement = yield* judgedBy([
        `anna valid-after="20260601115959Z",valid-before="20260601120001Z" ${keyText(key)}`
      ])
      const signature = yield* signedBy(key, message)
      const at = (text: string) =>
        verifySignature(signature, { ...judgement, at: momentOf(text) }, "anna").pipe(
          Effect.match({ onFailure: ({ reason }) => reason, onSuccess: () => "counts" })
        )
      expect(
        yield* Effect.forEach(
          ["20260601115958Z", "20260601115959Z", "20260601120000Z", "20260601120001Z", "20260601120002Z"],
          at
        )
      ).toEqual(["not-yet-valid", "counts", "counts", "counts", "expired"])
    }).pipe(Effect.provide(crypto)))
})

describe("a revocation list", () => {
  const section = (kind: number, ...entries: ReadonlyArray<Uint8Array>) =>
    concatBytes([new Uint8Array([kind]), sshString(concatBytes(entries.map(sshString)))])
  const krl = (...parts: ReadonlyArray<Uint8Array>) =>
    concatBytes([krlMagic, uint32(1), new Uint8Array(24), sshString(""), sshString("why"), ...parts])
  const problemOf = (file: Uint8Array) =>
    Either.match(readRevocationList(file), { onLeft: ({ message }) => message, onRight: () => "it is read" })

  it.effect("names a key by itself or by a fingerprint, and no other", () =>
    Effect.gen(function*() {
      const [lost, kept] = [yield* newKey, yield* newKey]
      const { createHash } = yield* Effect.promise(() => import("node:crypto"))
      const blob = publicKeyBlob(lost.publicKey)
      const hash = (algorithm: string) => new Uint8Array(createHash(algorithm).update(blob).digest())
      const lists = [
        bytes(`# lost\n\n  ${keyText(lost)} her laptop\n`),
        krl(section(2, blob)),
        krl(section(3, hash("sha1"))),
        krl(section(5, hash("sha256"))),
        krl(section(2), section(5, hash("sha256"), new Uint8Array(32)), section(3))
      ]
      for (const file of lists) {
        const list = yield* readRevocationList(file)
        expect(yield* isRevoked(list, blob)).toBe(true)
        expect(yield* isRevoked(list, publicKeyBlob(kept.publicKey))).toBe(false)
        for (const both of [bothRevoked(list, nothingRevoked), bothRevoked(nothingRevoked, list)]) {
          expect(yield* isRevoked(both, blob)).toBe(true)
        }
        const other = yield* readRevocationList(bytes(keyText(kept)))
        const all = bothRevoked(list, other)
        expect([yield* isRevoked(all, blob), yield* isRevoked(all, publicKeyBlob(kept.publicKey))]).toEqual([
          true,
          true
        ])
      }
      expect(yield* isRevoked(nothingRevoked, blob)).toBe(false)
    }).pipe(Effect.provide(crypto)))

  it("that can't be read says what is wrong, and what follows", () => {
    const cases: ReadonlyArray<readonly [file: Uint8Array, why: string]> = [
      [new Uint8Array(4 * 1024 * 1024 + 1), "it is longer than 4194304 bytes"],
      [bytes("\r\n"), "line 1 is not a public key: it holds a CR alone"],
      [bytes("#\nssh-ed25519 AAAA\0\n"), "line 2 is not a public key: it holds a NUL"],
      [bytes("ssh-dss AAAA\n"), "line 1 is not a public key: \"ssh-dss\" is not the type of a key that counts here"],
      [krl(section(1)), "it revokes certificates, which are not read here; make one of plain keys"],
      [krl(section(4)), "it is signed, and such signatures are not read"],
      [krl(section(9)), "it has a section of the unknown kind 9"],
      [krl(section(3, new Uint8Array(19))), "an entry of it has 19 bytes"],
      [krl(section(2, new Uint8Array())), "an entry of it has 0 bytes"],
      [krl(concatBytes([new Uint8Array([2]), sshString(new Uint8Array(3))])), "it ends in the middle of a field"],
      [krl(new Uint8Array([2])), "it ends in the middle of a field"],
      [
        concatBytes([krlMagic, uint32(1), new Uint8Array(24), sshString("x"), sshString("")]),
        "its reserved field is not empty"
      ],
      [
        concatBytes([krlMagic, uint32(1), new Uint8Array(24), sshString(""), sshString("a\0")]),
        "its comment holds a NUL"
      ],
      [concatBytes([krlMagic, uint32(1), new Uint8Array(23), new Uint8Array([1])]), "it has flags that are not known"],
      [concatBytes([krlMagic, uint32(2)]), "its format is 2, and 1 is read"]
    ]
    for (const [file, why] of cases) {
      expect(problemOf(file)).toBe(`the revocation list: ${why}; mend it, nobody counts until then`)
    }
    // Their number and their date may be anything.
    const numbered = concatBytes([
      krlMagic,
      uint32(1),
      new Uint8Array(16).fill(9),
      new Uint8Array(8),
      sshString(""),
      sshString("")
    ])
    expect(problemOf(numbered)).toBe("it is read")
    expect(problemOf(new Uint8Array(4 * 1024 * 1024).fill(0x23))).toBe("it is read")
  })
})

describe("an allow-list", () => {
  it("says which of its lines is wrong, and with what", () => {
    const problemOf = (file: Uint8Array) =>
      Either.match(readAllowedSigners(file), { onLeft: ({ message }) => message, onRight: () => "it is read" })
    const mend = "mend that, nobody counts until then"
    expect(problemOf(new Uint8Array(1024 * 1024 + 1))).toBe(
      `the allowed signers: they are longer than 1048576 bytes; ${mend}`
    )
    expect(problemOf(new Uint8Array(1024 * 1024).fill(0x23))).toBe("it is read")
    const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ"
    const long = "x".repeat(1023)
    const cases: ReadonlyArray<readonly [line: string, why: string]> = [
      [`a\u007fb ${key}`, "a principal may hold neither a quote nor control characters"],
      [`a\u0001b ${key}`, "a principal may hold neither a quote nor control characters"],
      [`a,${long} ${key}`, "a pattern of its principals is too long to match"],
      ["anna  ", "it names no key"],
      [`anna namespaces="a\\" ${key}`, "a quote is not closed"],
      ["anna ssh-ed25519", "its key is wrong: it ends in the middle of a field"],
      ["anna namespaces=\"a\" ssh-dss AAAA", "\"ssh-dss\" is not the type of a key that counts here"]
    ]
    for (const [line, why] of cases) {
      expect(problemOf(bytes(`\n${line}\n`)), line).toBe(`line 2 of the allowed signers: ${why}; ${mend}`)
    }
    const fine = [
      `anna ${key}`,
      `  anna\t${key} a comment`,
      `a,${"x".repeat(1022)} ${key}`,
      `anna namespaces="a b" ${key}`,
      `anna namespaces="a\\"b" ${key}`,
      `anna namespaces="a\\\\b" ${key}`,
      `anna  \t ${key}\r`
    ]
    for (const line of fine) expect(problemOf(bytes(line)), line).toBe("it is read")
  })
})

describe("a refusal", () => {
  it("says for each reason what to do next", () => {
    for (const reason of SignatureReason.literals) {
      expect(signatureAdvice[reason].length, reason).toBeGreaterThan(10)
      expect(refused(reason, "why").message).toBe(`refused (${reason}): why; ${signatureAdvice[reason]}`)
    }
    expect(fromSigners(new AllowedSignersError({ reason: "line", line: 7, detail: "it names no key" }))).toMatchObject({
      reason: "signers",
      detail: "line 7 of the allowed signers: it names no key"
    })
    expect(fromSshsig(new SshsigError({ reason: "other-key", detail: "it is by another key" }))).toMatchObject({
      reason: "key",
      detail: "the signature: it is by another key"
    })
    expect(fromRevocations(new RevocationListError({ reason: "krl", detail: "it is signed" }))).toMatchObject({
      reason: "revocations",
      detail: "the revocation list: it is signed"
    })
  })

  it.effect("of too few signers names those that did not count, and why", () =>
    Effect.gen(function*() {
      const [anna, ben] = [yield* newKey, yield* newKey]
      const judgement = yield* judgedBy([`anna ${keyText(anna)}`, `ben ${keyText(ben)}`])
      const good = yield* signedBy(anna, message)
      const other = yield* signedBy(ben, "another message")
      const detailOf = (some: ReadonlyArray<string>, threshold: number) =>
        Effect.map(Effect.flip(verifyThreshold(some, judgement, threshold)), ({ detail }) => detail)
      expect(yield* detailOf([good], 2)).toBe("1 of the 2 signers that this needs have signed")
      expect(yield* detailOf([good, other], 2)).toBe(
        "1 of the 2 signers that this needs have signed; not counted: signature: the bytes are not those that the key signed"
      )
      expect(yield* detailOf([], 1)).toBe("0 of the 1 signers that this needs have signed")
      expect(yield* detailOf([other, other], 1)).toMatch(
        /^0 of the 1 signers .*; not counted: signature: .*; signature: /
      )
      expect(yield* detailOf([other], 1)).toBe("the bytes are not those that the key signed")
      expect(yield* detailOf([good], 0)).toBe("1 signatures for a threshold of 0; 1 to 16 are possible")
      expect(yield* verifyThreshold(Array.from({ length: 16 }, () => good), judgement, 1)).toHaveLength(1)
      const [signatory] = yield* verifyThreshold([good], judgement, 1)
      expect(signatory?.fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
    }).pipe(Effect.provide(crypto)))
})
