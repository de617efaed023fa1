import { describe, it } from "@effect/vitest"
import { ByteReader, sameBytes, strictText, Work } from "@felhom/domain/ByteReader"
import {
  decodeCanonicalBase64,
  publicKeyBlob,
  readArmor,
  readBlob,
  readParts,
  type SshsigError,
  verifySshsig,
  writeArmor
} from "@felhom/domain/Sshsig"
import { concatBytes, sshString, uint32 } from "@felhom/domain/SshWire"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Either, Encoding } from "effect"
import { expect } from "vitest"
import { bytes, namespace, newKey, signedBy } from "./Signing.ts"

const header = "-----BEGIN SSH SIGNATURE-----"
const footer = "-----END SSH SIGNATURE-----"

const problem = <A>(read: Either.Either<A, SshsigError>): string =>
  Either.match(read, { onLeft: ({ detail, reason }) => `${reason}: ${detail}`, onRight: () => "it is read" })

const point = new Uint8Array(32).fill(9)
const typed = (type: string, value: Uint8Array) => concatBytes([sshString(type), sshString(value)])

const blobOf = (changed: {
  readonly version?: number
  readonly key?: Uint8Array
  readonly namespace?: string | Uint8Array
  readonly reserved?: string
  readonly hash?: string
  readonly signature?: Uint8Array
} = {}) =>
  concatBytes([
    bytes("SSHSIG"),
    uint32(changed.version ?? 1),
    sshString(changed.key ?? publicKeyBlob(point)),
    sshString(changed.namespace ?? namespace),
    sshString(changed.reserved ?? ""),
    sshString(changed.hash ?? "sha512"),
    sshString(changed.signature ?? typed("ssh-ed25519", new Uint8Array(64)))
  ])

describe("a signature's armor", () => {
  it("has at most 16 KiB, the two lines around it and base64 between them", () => {
    const armored = writeArmor(blobOf())
    const [, first = "", ...rest] = armored.trim().split("\n")
    const long = (length: number) => `${header}\n${"A".repeat(length - header.length - footer.length - 2)}\n${footer}`
    const alone = `armor: it does not stand alone between ${header} and ${footer}`
    const uneven = "armor: its lines are not of one length"
    const cases: ReadonlyArray<readonly [text: string, problem: string]> = [
      [armored, "it is read"],
      [armored.trimEnd(), "it is read"],
      [long(16 * 1024 + 1), "armor: it is longer than 16384 bytes"],
      [long(16 * 1024), "armor: it is not base64"],
      [`${armored}\n`, alone],
      [` ${armored}`, alone],
      [`${header}\n${footer}\n`, alone],
      [`${header}\n\n${footer}\n`, uneven],
      [`${header}\n${first}\n\n${footer}\n`, uneven],
      [`${header}\n${first}\n${first}AAAA\n${footer}\n`, uneven],
      [`${header}\n${first.slice(0, 63)}\n${first.slice(63)}\n${rest.join("\n")}\n`, uneven],
      [`${header}\nAA\u00e9A\n${footer}\n`, "armor: it is not base64"]
    ]
    for (const [text, expected] of cases) {
      expect(problem(readArmor(text)), text).toBe(expected)
      expect(problem(readArmor(Buffer.from(text, "latin1"))), text).toBe(expected)
    }
    for (const width of [64, 76]) {
      const base64 = Encoding.encodeBase64(blobOf()).match(new RegExp(`.{1,${width}}`, "g"))?.join("\n")
      expect(Either.getOrThrow(readArmor(`${header}\n${base64}\n${footer}`))).toEqual(blobOf())
    }
  })

  it("is written in lines of 70, with none that is empty", () => {
    for (const [length, last] of [[105, 70], [51, 68], [54, 2]] as const) {
      const lines = writeArmor(new Uint8Array(length)).split("\n")
      expect([lines[0], lines.at(-2), lines.at(-1)]).toEqual([header, footer, ""])
      expect(lines.slice(1, -2).map((line) => line.length).at(-1)).toBe(last)
      expect(lines.slice(1, -3).every((line) => line.length === 70)).toBe(true)
    }
  })

  it("is base64 in the one form that these bytes have", () => {
    const read = (text: string) =>
      Either.match(decodeCanonicalBase64(text), { onLeft: (why) => why, onRight: (value) => [...value] })
    expect([read(""), read("AQ=="), read("AQI="), read("AQID"), read("/+8=")]).toEqual([
      [],
      [1],
      [1, 2],
      [1, 2, 3],
      [255, 239]
    ])
    for (
      const text of ["A", "AQ", "AQI", "A===", "====", "=AQI", "A=Q=", "AQ=A", "AQ I", "AQ-_", "AQI=AQID", "\u00ffAAA"]
    ) {
      expect(read(text), text).toBe("it is not base64")
    }
    for (const text of ["AR==", "AQJ="]) expect(read(text), text).not.toEqual(expect.any(Array))
  })
})

describe("a signature's blob", () => {
  it("is refused with what is wrong with it", () => {
    const cut = blobOf()
    const cases: ReadonlyArray<readonly [blob: Uint8Array, problem: string]> = [
      [cut, "it is read"],
      [blobOf({ hash: "sha256" }), "it is read"],
      [new Uint8Array(8 * 1024 + 1), "blob: it is longer than 8192 bytes"],
      [new Uint8Array(8 * 1024), "blob: it does not begin with SSHSIG"],
      [bytes("SSHSIH"), "blob: it does not begin with SSHSIG"],
      [bytes("SSHSIG"), "blob: it ends in the middle of a field"],
      [blobOf({ version: 2 }), "version: its version is 2 and not 1"],
      [blobOf({ reserved: "x" }), "reserved: its reserved field is not empty"],
      [concatBytes([cut, new Uint8Array(1)]), "blob: there are bytes after its end"],
      [blobOf({ namespace: "" }), "namespace: its namespace is empty, or is no text"],
      [blobOf({ namespace: "a\0" }), "namespace: its namespace is empty, or is no text"],
      [blobOf({ namespace: new Uint8Array([0xff]) }), "namespace: its namespace is empty, or is no text"],
      [blobOf({ hash: "sha1" }), "hash: its hash is neither sha256 nor sha512"]
    ]
    for (const [blob, expected] of cases) expect(problem(readParts(blob))).toBe(expected)
    // Wherever it ends too early: in a length, or in what that says.
    for (let length = 6; length < cut.length; length++) {
      expect(problem(readParts(cut.subarray(0, length)))).toBe("blob: it ends in the middle of a field")
    }
  })

  it("of a host is by an ed25519 key that somebody has, and has all of its bytes", () => {
    const small = new Uint8Array(32)
    small[0] = 1
    const cases: ReadonlyArray<readonly [blob: Uint8Array, problem: string]> = [
      [blobOf(), "it is read"],
      [blobOf({ version: 3 }), "version: its version is 3 and not 1"],
      [blobOf({ key: typed("ssh-rsa", point) }), "key: its key is not of the type ssh-ed25519"],
      [blobOf({ key: typed("ssh-ed25519", point.subarray(1)) }), "key: its key is not of 32 bytes"],
      [blobOf({ key: concatBytes([publicKeyBlob(point), point]) }), "key: its key is not of 32 bytes"],
      [blobOf({ key: new Uint8Array(3) }), "key: it ends in the middle of a field"],
      [blobOf({ key: sshString("ssh-ed25519") }), "key: it ends in the middle of a field"],
      [blobOf({ key: publicKeyBlob(small) }), "key: its key is of small order: anybody can sign for it"],
      [blobOf({ signature: typed("ssh-rsa", point) }), "signature: its signature is not of the type ssh-ed25519"],
      [blobOf({ signature: typed("ssh-ed25519", point) }), "signature: its signature is not of 64 bytes"]
    ]
    for (const [blob, expected] of cases) expect(problem(readBlob(blob))).toBe(expected)
    expect(Either.getOrThrow(readBlob(blobOf()))).toEqual({
      publicKey: point,
      namespace,
      hash: "sha512",
      signature: new Uint8Array(64)
    })
  })

  it.effect("of a host holds for its purpose, its bytes and its key alone", () =>
    Effect.gen(function*() {
      const [own, other] = [yield* newKey, yield* newKey]
      const blob = yield* readArmor(yield* signedBy(own, "a report"))
      const verified = (message: string, purpose = namespace, expected = own.publicKey) =>
        verifySshsig({ blob, namespace: purpose, message: bytes(message), expected }).pipe(
          Effect.match({ onFailure: ({ message }) => message, onSuccess: ({ publicKey }) => publicKey })
        )
      const refused = "the signature is not accepted:"
      expect(yield* verified("a report")).toEqual(own.publicKey)
      expect(yield* verified("a Report")).toBe(`${refused} the bytes are not those that were signed`)
      expect(yield* verified("a report", "x")).toBe(`${refused} it was made for another purpose than x`)
      expect(yield* verified("a report", namespace, other.publicKey)).toBe(`${refused} it is by another key`)
      const whose = yield* verifySshsig({ blob, namespace, message: bytes("a report") })
      expect(whose.publicKey).toEqual(own.publicKey)
    }).pipe(Effect.provide(ed25519)))
})

describe("what is read from front to back", () => {
  it("counts each byte that it looks at, and stays where it is when a field is not there", () => {
    const work = new Work()
    const reader = new ByteReader(
      concatBytes([uint32(7), sshString("anna"), bytes("line\nlast"), new Uint8Array(1)]),
      work
    )
    expect([reader.uint32(), work.bytes]).toEqual([Either.right(7), 4])
    expect([Either.getOrThrow(reader.string()), work.bytes]).toEqual([bytes("anna"), 12])
    expect([reader.line(), work.bytes]).toEqual([bytes("line"), 17])
    expect([reader.takeWhile((byte) => byte === 0x6c), work.bytes]).toEqual([bytes("l"), 19])
    expect([reader.take(2), work.bytes]).toEqual([Either.right(bytes("as")), 21])
    expect([reader.take(3), reader.left]).toEqual([Either.left("it ends in the middle of a field"), 2])
    const short = new ByteReader(concatBytes([uint32(5), bytes("abcd")]))
    expect([short.string(), short.left]).toEqual([Either.left("it ends in the middle of a field"), 8])
    expect(new ByteReader(new Uint8Array(3)).string()).toEqual(Either.left("it ends in the middle of a field"))
    expect(new ByteReader(new Uint8Array(3)).uint32()).toEqual(Either.left("it ends in the middle of a field"))
    expect(new ByteReader(new Uint8Array()).line()).toBeUndefined()
  })

  it("is text only where all of it is, and the same bytes only where each is", () => {
    expect(strictText(bytes("\ufeffé"))).toBe("\ufeffé")
    expect(strictText(new Uint8Array([0xc3]))).toBeUndefined()
    expect([sameBytes(point, point.slice()), sameBytes(point, point.subarray(1)), sameBytes(point, small())]).toEqual([
      true,
      false,
      false
    ])
  })

  it("is counted for an armor by its length", () => {
    const work = new Work()
    const armored = writeArmor(blobOf())
    readArmor(armored, work)
    expect(work.bytes).toBe(armored.length)
  })
})

const small = (): Uint8Array => point.with(31, 8)
