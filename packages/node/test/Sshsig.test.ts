import { describe, it } from "@effect/vitest"
import { hostCode, hostPublicKey, keyFingerprint, readCode, reportNamespace } from "@felhom/domain/HostKey"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { isSmallOrder } from "@felhom/domain/SmallOrderKey"
import { publicKeyBlob, readArmor, signSshsig, verifySshsig, writeArmor } from "@felhom/domain/Sshsig"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { Effect, Either, Encoding, Redacted, Schema } from "effect"
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { temporaryFolder } from "./TemporaryFolder.ts"

const Vectors = Schema.parseJson(Schema.Array(Schema.Struct({
  id: Schema.String,
  desc: Schema.String,
  namespace: Schema.String,
  message: Schema.Uint8ArrayFromBase64,
  signature: Schema.Uint8ArrayFromBase64,
  key: Schema.Uint8ArrayFromBase64,
  verdict: Schema.Literal("accept", "reject")
})))

const vectors = Schema.decodeSync(Vectors)(
  readFileSync(join(import.meta.dirname, "fixtures/sshsig-ed25519.json"), "utf8")
)

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const verdict = (vector: (typeof vectors)[number]) =>
  Effect.gen(function*() {
    const blob = yield* readArmor(Buffer.from(vector.signature).toString("latin1"))
    return yield* verifySshsig({
      blob,
      namespace: vector.namespace,
      message: vector.message,
      expected: vector.key
    })
  }).pipe(Effect.provide(NodeEd25519.layer))

describe("a signature is judged as OpenSSH's own vectors say, or stricter:", () => {
  for (const vector of vectors) {
    it.effect(`${vector.verdict} ${vector.id}: ${vector.desc}`, () =>
      Effect.gen(function*() {
        const answer = yield* Effect.either(verdict(vector))
        expect(Either.isRight(answer) ? "accept" : "reject").toBe(vector.verdict)
        if (Either.isLeft(answer)) expect(answer.left._tag).toBe("SshsigError")
      }))
  }

  it("both verdicts are among them", () => {
    expect(vectors.filter(({ verdict }) => verdict === "accept").length).toBeGreaterThanOrEqual(8)
    expect(vectors.filter(({ verdict }) => verdict === "reject").length).toBeGreaterThanOrEqual(80)
  })
})

describe("a report's signature", () => {
  const signed = (message: string) =>
    Effect.gen(function*() {
      const key = yield* Effect.flatMap(Ed25519, (curve) => curve.generate)
      const blob = yield* signSshsig(key, reportNamespace, bytes(message))
      return { key, blob }
    }).pipe(Effect.provide(NodeEd25519.layer))

  it.effect("holds for the bytes that were signed, and for no others", () =>
    Effect.gen(function*() {
      const { blob, key } = yield* signed("a report")
      const check = (message: string, namespace = reportNamespace) =>
        verifySshsig({ blob, namespace, message: bytes(message), expected: key.publicKey })
      expect((yield* check("a report")).publicKey).toEqual(key.publicKey)
      expect((yield* Effect.flip(check("a Report"))).reason).toBe("signature")
      expect((yield* Effect.flip(check("a report", "op.v1@felhom.eu"))).reason).toBe("namespace")
      const other = yield* signed("a report")
      expect(
        (yield* Effect.flip(verifySshsig({
          blob,
          namespace: reportNamespace,
          message: bytes("a report"),
          expected: other.key.publicKey
        }))).reason
      ).toBe("other-key")
    }).pipe(Effect.provide(NodeEd25519.layer)))

  it.effect("survives its armor, whole and only whole", () =>
    Effect.gen(function*() {
      const { blob } = yield* signed("a report")
      const armored = writeArmor(blob)
      expect(yield* readArmor(armored)).toEqual(blob)
      for (const broken of [`${armored}x`, armored.replace("\n", "\r\n"), ` ${armored}`, armored.slice(0, -40)]) {
        expect(Either.isLeft(readArmor(broken))).toBe(true)
      }
    }))

  const program = "ssh-keygen"
  const keygen = spawnSync(program, ["-?"]).error === undefined
  it.effect(
    keygen
      ? "verifies with the real ssh-keygen, which shows the same fingerprint"
      : "is not compared with ssh-keygen: there is none on this machine",
    () =>
      Effect.gen(function*() {
        if (!keygen) return
        const folder = yield* temporaryFolder
        const { blob, key } = yield* signed("a report\n")
        const line = `ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(key.publicKey))}`
        writeFileSync(join(folder, "allowed"), `host ${line}\n`)
        writeFileSync(join(folder, "key.pub"), `${line}\n`)
        writeFileSync(join(folder, "sig"), writeArmor(blob))
        const ask = (message: string) =>
          spawnSync(program, ["-Y", "verify", "-f", "allowed", "-I", "host", "-n", reportNamespace, "-s", "sig"], {
            cwd: folder,
            input: message,
            encoding: "utf8"
          })
        expect(ask("a report\n")).toMatchObject({ status: 0 })
        expect(ask("another report\n").status).not.toBe(0)
        const shown = spawnSync(program, ["-l", "-f", "key.pub"], { cwd: folder, encoding: "utf8" }).stdout
        expect(shown).toContain(yield* keyFingerprint(hostPublicKey(key.publicKey)))
      }).pipe(Effect.scoped, Effect.provide(NodeEd25519.layer))
  )
})

describe("a host key", () => {
  it.effect("reads back from what is kept of it, and nothing else reads as one", () =>
    Effect.gen(function*() {
      const curve = yield* Ed25519
      const key = yield* curve.generate
      expect((yield* curve.read(key.privateKeyPem)).publicKey).toEqual(key.publicKey)
      expect(String(key.privateKeyPem)).not.toContain("PRIVATE")
      const error = yield* Effect.flip(curve.read(Redacted.make("-----BEGIN PRIVATE KEY-----\nxxx")))
      expect(error.message).not.toContain("xxx")
    }).pipe(Effect.provide(NodeEd25519.layer)))

  it.effect("has a code of four groups of four that a person can type as they like", () =>
    Effect.gen(function*() {
      const key = hostPublicKey(new Uint8Array(32).fill(9))
      const code = yield* hostCode(key)
      expect(code).toMatch(/^[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}$/)
      expect(readCode(code.toLowerCase().replaceAll("-", " "))).toBe(code)
      expect(readCode(code.slice(1))).toBeUndefined()
      expect(yield* hostCode(hostPublicKey(new Uint8Array(32).fill(8)))).not.toBe(code)
    }).pipe(Effect.provide(NodeEd25519.layer)))

  it("of small order is known as such, with either sign bit", () => {
    const identity = new Uint8Array(32)
    identity[0] = 1
    expect(isSmallOrder(identity)).toBe(true)
    identity[31] = 0x80
    expect(isSmallOrder(identity)).toBe(true)
    expect(isSmallOrder(new Uint8Array(32).fill(9))).toBe(false)
  })
})

it("a key that is looked at stays as it was, also as a Buffer, whose slices share its bytes", () => {
  const key = Buffer.from(`${"11".repeat(31)}ff`, "hex")
  expect(isSmallOrder(key)).toBe(false)
  expect(key.at(-1)).toBe(0xff)
  expect(isSmallOrder(Buffer.from(`01${"00".repeat(30)}80`, "hex"))).toBe(true)
})
