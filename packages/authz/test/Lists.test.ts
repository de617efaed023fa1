import { describe, it } from "@effect/vitest"
import { type AllowedSignersError, readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { matchesList } from "@felhom/authz/PatternList"
import { readRevocationList } from "@felhom/authz/RevocationList"
import { nothingRevoked } from "@felhom/authz/RevocationList"
import { readSignerTime } from "@felhom/authz/SignerTime"
import { type KeyDemands, usualDemands, verifySignature } from "@felhom/authz/VerifySignature"
import { Effect, Either, Option } from "effect"
import { expect } from "vitest"
import { bytes, crypto, keyText, namespace, newKey, signedBy } from "./Signing.ts"
import { momentOf, vectors } from "./Vectors.ts"

const problemOf = (file: string): AllowedSignersError | undefined =>
  Option.getOrUndefined(Either.getLeft(readAllowedSigners(bytes(file))))

describe("an allow-list", () => {
  it.effect("is refused whole for one bad line, which is named with what is wrong", () =>
    Effect.gen(function*() {
      const key = keyText(yield* newKey)
      const bad: ReadonlyArray<readonly [line: string, why: RegExp]> = [
        ["eve", /names no key/],
        [`"eve" ${key}`, /quote/],
        [`eve cert-authority ${key}`, /certificates/],
        [`eve nonsense ${key}`, /nonsense/],
        [`eve valid-before="20270230Z" ${key}`, /20270230Z/],
        [`eve valid-before="20270101" ${key}`, /UTC/],
        [`eve valid-after="20270101Z",valid-before="20260101Z" ${key}`, /ends before it begins/],
        [`eve namespaces="a",namespaces="b" ${key}`, /twice/],
        [`eve namespaces="a ${key}`, /quote/],
        [`eve ${key.slice(0, -4)}`, /key is wrong/],
        [`eve ${key.replace("ssh-ed25519 ", "ssh-rsa ")}`, /and not ssh-rsa/],
        [`eve ${key}\0`, /NUL/],
        ["-----BEGIN OPENSSH PRIVATE KEY-----", /of a private key: the public one belongs here \(KEY\.pub\)/],
        ["-----BEGIN PGP PUBLIC KEY-----", /its options can't be read|is not known/],
        [`eve,PRIVATE KEY ${key.replace("ssh-ed25519 ", "")}`, /is not known/],
        [`eve ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`, /small order/]
      ]
      for (const [line, why] of bad) {
        const problem = problemOf(`# ours\nanna ${key}\n${line}\n`)
        expect(problem?.message, line).toMatch(why)
        expect(problem?.line).toBe(3)
      }
      expect(problemOf(`anna ${key}\n`)).toBeUndefined()
    }).pipe(Effect.provide(crypto)))

  it("may hold comments and blank lines, but not be longer than anybody needs", () => {
    expect(problemOf("# nobody\n\n \t\r\n")).toBeUndefined()
    expect(problemOf("#".repeat(2 * 1024 * 1024))?.reason).toBe("too-long")
  })
})

describe("a list of patterns", () => {
  it("is read as OpenSSH reads it", () => {
    const cases: ReadonlyArray<readonly [text: string, list: string, matches: boolean]> = [
      ["anna", "anna", true],
      ["anna", "Anna", false],
      ["anna", "an?a,ben", true],
      ["anna", "*", true],
      ["anna", "*,!an*", false],
      ["anna", "!ben", false],
      ["anna", "ann", false],
      ["anna", "anna?", false],
      ["anna", "**n**a*", true],
      ["anna", "", false],
      ["*", "anna", false]
    ]
    for (const [text, list, matches] of cases) expect(matchesList(text, list), `${text} on ${list}`).toBe(matches)
  })

  it("ends however wild it is", () => {
    expect(matchesList("a".repeat(255), `${"a*".repeat(500)}b`)).toBe(false)
  })
})

describe("a time on an allow-list", () => {
  it("is in UTC, exists, and may leave out what is smaller than a day", () => {
    const at = (text: string) => Option.getOrUndefined(readSignerTime(text))
    expect(at("20260601Z")).toBe(Date.UTC(2026, 5, 1))
    expect(at("202606011230Z")).toBe(Date.UTC(2026, 5, 1, 12, 30))
    expect(at("20260601123059Z")).toBe(Date.UTC(2026, 5, 1, 12, 30, 59))
    expect(at("20280229Z")).toBe(Date.UTC(2028, 1, 29))
    const none = ["20270229Z", "20261301Z", "20260601", "20260601z", "2026060112Z", "20260601240000Z", "19700101Z"]
    const overflowing = ["20260001Z", "20260600Z", "20260631Z", "202606016000Z", "202606011260Z", "99991232Z"]
    for (const text of [...none, ...overflowing, "00500101Z", "20260601125960Z", " 20260601Z", "20260601Z ", ""]) {
      expect(at(text), text).toBeUndefined()
    }
  })
})

describe("a revocation list", () => {
  it("that is not wholly understood is none, since nobody knows whom it was to stop", () => {
    const krl = (text: string) => bytes(`SSHKRL\n\0${text}`)
    for (
      const file of [bytes("not a key\n"), bytes("\r\n"), bytes("ssh-ed25519 AAAA\0\n"), krl(""), krl("\0\0\0\u0001")]
    ) {
      expect(Either.isLeft(readRevocationList(file))).toBe(true)
    }
    expect(Either.isRight(readRevocationList(bytes("")))).toBe(true)
  })
})

describe("a host that asks more of keys", () => {
  const answerTo = (id: string, demands: KeyDemands) =>
    Effect.gen(function*() {
      const vector = vectors.find((one) => one.id === id)
      if (vector === undefined) return yield* Effect.dieMessage(`there is no vector ${id}`)
      const signers = yield* readAllowedSigners(vector.allowed_signers_b64)
      const { message_b64: message, namespace, principal, signature_b64: signature } = vector
      const at = momentOf(vector.verify_time)
      return yield* verifySignature(
        signature,
        { message, namespace, at, signers, revoked: nothingRevoked, demands },
        principal
      )
    }).pipe(Effect.either, Effect.map(Either.match({ onLeft: ({ _tag, ...error }) => error, onRight: () => "counts" })))

  it.effect("than a touch refuses a security key that did not ask who it is", () =>
    Effect.gen(function*() {
      const strict = { ...usualDemands, verification: true }
      expect(yield* answerTo("K-sk-ed25519-up-uv", strict)).toBe("counts")
      expect(yield* answerTo("A-sk-ed25519-sha512-op", usualDemands)).toBe("counts")
      expect(yield* answerTo("A-sk-ed25519-sha512-op", strict)).toMatchObject({
        reason: "verification",
        detail: "the security key asked for no PIN and no finger"
      })
    }).pipe(Effect.provide(crypto)))

  it.effect("than a file refuses keys that are one", () =>
    Effect.gen(function*() {
      const strict = { ...usualDemands, softwareKeys: false }
      expect(yield* answerTo("A-sk-ecdsa-sha512-op", strict)).toBe("counts")
      expect(yield* answerTo("A-ed25519-sha512-op", strict)).toMatchObject({
        reason: "software-key",
        detail: "its key is a file, no security key"
      })
    }).pipe(Effect.provide(crypto)))
})

describe("a namespace", () => {
  it.effect("with a byte-order mark before it is another one", () =>
    Effect.gen(function*() {
      const key = yield* newKey
      const signers = yield* readAllowedSigners(bytes(`anna ${keyText(key)}`))
      const judgement = { message: bytes("x"), namespace, at: momentOf("20260601120000Z"), signers }
      const answer = verifySignature(yield* signedBy(key, "x", `\ufeff${namespace}`), {
        ...judgement,
        revoked: nothingRevoked,
        demands: usualDemands
      }, "anna")
      expect((yield* Effect.flip(answer)).reason).toBe("namespace")
    }).pipe(Effect.provide(crypto)))
})
