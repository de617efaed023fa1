import { describe, it } from "@effect/vitest"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { curves, readPoint } from "@felhom/authz/EcPoint"
import { readInnerSignature } from "@felhom/authz/InnerSignature"
import { readMpint } from "@felhom/authz/Mpint"
import { matchesList, onlyName } from "@felhom/authz/PatternList"
import { isKeyType, type PublicKey, readPublicKey, signerKeyProblem } from "@felhom/authz/PublicKey"
import { readSignerOptions } from "@felhom/authz/SignerOptions"
import { ByteReader } from "@felhom/domain/ByteReader"
import { concatBytes, sshString } from "@felhom/domain/SshWire"
import { Either, Encoding } from "effect"
import { expect } from "vitest"
import { vectors } from "./Vectors.ts"

const left = <A>(read: Either.Either<A, string>): string =>
  Either.match(read, { onLeft: (why) => why, onRight: () => "it is taken" })

/** A number with its highest bit set, of so many bits. */
const number = (bits: number, last: number): Uint8Array => {
  const found = new Uint8Array(Math.ceil(bits / 8))
  found[0] = 1 << ((bits - 1) % 8)
  found[found.length - 1] = (found[found.length - 1] ?? 0) | last
  return found
}

const mpint = (value: Uint8Array): Uint8Array =>
  sshString((value[0] ?? 0) >= 0x80 ? concatBytes([new Uint8Array(1), value]) : value)

const rsaBlob = (modulus: Uint8Array, exponent: Uint8Array = new Uint8Array([1, 0, 1])): Uint8Array =>
  concatBytes([sshString("ssh-rsa"), mpint(exponent), mpint(modulus)])

const ed25519Blob = (point: Uint8Array): Uint8Array => concatBytes([sshString("ssh-ed25519"), sshString(point)])

const skBlob = (application: string): Uint8Array =>
  concatBytes([sshString("sk-ssh-ed25519@openssh.com"), sshString(new Uint8Array(32).fill(9)), sshString(application)])

const problemOf = (blob: Uint8Array): string | undefined =>
  Either.match(readPublicKey(blob), { onLeft: (why) => why, onRight: signerKeyProblem })

/** The keys that some vector's allow-list has, by their type. */
const vectorKeys = (type: string): ReadonlyArray<PublicKey> =>
  vectors.flatMap(({ allowed_signers_b64 }) =>
    Either.match(readAllowedSigners(allowed_signers_b64), {
      onLeft: () => [],
      onRight: ({ signers }) => signers.map(({ key }) => key).filter((key) => key.type === type)
    })
  )

const keyOf = (type: string): PublicKey => {
  const [key] = vectorKeys(type)
  if (key === undefined) throw new Error(`no vector has a key of the type ${type}`)
  return key
}

describe("a number in a key", () => {
  const read = (...content: ReadonlyArray<number>) =>
    readMpint(new ByteReader(concatBytes([sshString(new Uint8Array(content))])))

  it("has one form: positive, not zero, as short as it can be", () => {
    expect(Either.getOrThrow(read(0x7f))).toEqual(new Uint8Array([0x7f]))
    expect(Either.getOrThrow(read(0x01, 0x00))).toEqual(new Uint8Array([1, 0]))
    expect(Either.getOrThrow(read(0x00, 0x80))).toEqual(new Uint8Array([0x80]))
    expect(left(read())).toContain("zero")
    expect(left(read(0x80))).toContain("negative")
    for (const long of [[0x00], [0x00, 0x7f], [0x00, 0x00, 0x80]]) expect(left(read(...long))).toContain("shortest")
  })
})

describe("an RSA key", () => {
  it("is one from 1024 to 16384 bits, and may sign from 3072 to 8192", () => {
    const answers: ReadonlyArray<readonly [bits: number, answer: RegExp | undefined]> = [
      [1023, /its modulus has 1023 bits, and 1024 to 16384 are possible/],
      [1024, /an RSA key of 1024 bits, and 3072 to 8192 count/],
      [3071, /an RSA key of 3071 bits/],
      [3072, undefined],
      [8192, undefined],
      [8193, /an RSA key of 8193 bits/],
      [16_384, /an RSA key of 16384 bits/],
      [16_385, /its modulus has 16385 bits/]
    ]
    for (const [bits, answer] of answers) {
      const problem = problemOf(rsaBlob(number(bits, 1)))
      if (answer === undefined) expect(problem).toBeUndefined()
      else expect(problem).toMatch(answer)
    }
  })

  it("has odd numbers, an exponent above 1 and one that is not enormous", () => {
    const modulus = number(3072, 1)
    const wrong = /not those of an RSA key/
    expect(problemOf(rsaBlob(number(3072, 0)))).toMatch(wrong)
    expect(problemOf(rsaBlob(modulus, new Uint8Array([1, 0, 0])))).toMatch(wrong)
    expect(problemOf(rsaBlob(modulus, new Uint8Array([1])))).toMatch(wrong)
    expect(problemOf(rsaBlob(modulus, new Uint8Array([3])))).toBeUndefined()
    expect(problemOf(rsaBlob(modulus, new Uint8Array([2])))).toMatch(wrong)
    expect(problemOf(rsaBlob(modulus, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 1])))).toBeUndefined()
    expect(problemOf(rsaBlob(modulus, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 1])))).toMatch(wrong)
  })
})

describe("a key of another kind", () => {
  it("is refused with what is wrong with it", () => {
    const last = new Uint8Array(32).fill(0xff)
    const overlong = (first: number, middle: number, end: number): Uint8Array => {
      const point = last.slice()
      point[0] = first
      point[15] = middle
      point[31] = end
      return point
    }
    const cases: ReadonlyArray<readonly [blob: Uint8Array, answer: RegExp | undefined]> = [
      [ed25519Blob(new Uint8Array(31).fill(9)), /not of 32 bytes/],
      [ed25519Blob(new Uint8Array(33).fill(9)), /not of 32 bytes/],
      [ed25519Blob(new Uint8Array(32).fill(9)), undefined],
      [ed25519Blob(new Uint8Array(32)), /small order/],
      [ed25519Blob(overlong(0xed, 0xff, 0x7f)), /small order|one form/],
      [ed25519Blob(overlong(0xf0, 0xff, 0x7f)), /one form/],
      [ed25519Blob(overlong(0xf0, 0xff, 0xff)), /one form/],
      [ed25519Blob(overlong(0xec, 0xff, 0x7f)), /small order/],
      [ed25519Blob(overlong(0xeb, 0xff, 0x7f)), undefined],
      [ed25519Blob(overlong(0xf0, 0xfe, 0x7f)), undefined],
      [ed25519Blob(overlong(0xf0, 0xff, 0x7e)), undefined],
      [concatBytes([ed25519Blob(new Uint8Array(32).fill(9)), new Uint8Array(1)]), /bytes after its end/],
      [concatBytes([sshString("ssh-dss"), sshString("x")]), /of a type that does not count here/],
      [concatBytes([sshString("toString"), sshString("x")]), /of a type that does not count here/],
      [new Uint8Array([0, 0]), /ends in the middle/],
      [skBlob("ssh:"), undefined],
      [skBlob("ssh:felhom"), undefined],
      [skBlob("web:felhom"), /another application than ssh:/],
      [skBlob(""), /another application than ssh:/],
      [skBlob("ssh:\0"), /application is no text/]
    ]
    for (const [blob, answer] of cases) {
      const problem = problemOf(blob)
      if (answer === undefined) expect(problem, Encoding.encodeBase64(blob)).toBeUndefined()
      else expect(problem, Encoding.encodeBase64(blob)).toMatch(answer)
    }
    expect(isKeyType("hasOwnProperty")).toBe(false)
  })

  it("keeps its own bytes, whatever becomes of those that it was read from", () => {
    const blob = ed25519Blob(new Uint8Array(32).fill(9))
    const key = Either.getOrThrow(readPublicKey(blob))
    blob.fill(0)
    expect(key.blob).toEqual(ed25519Blob(new Uint8Array(32).fill(9)))
    expect(key.material).toEqual({ kind: "ed25519", point: new Uint8Array(32).fill(9) })
    const large = rsaBlob(number(3072, 1))
    const rsa = Either.getOrThrow(readPublicKey(large))
    large.fill(0)
    expect(rsa.material).toEqual({ kind: "rsa", modulus: number(3072, 1), exponent: new Uint8Array([1, 0, 1]) })
  })
})

/** A y for that x, where there is one: the primes are 3 above a multiple of 4 (SEC 1, 2.3.4). */
const yOf = ({ b, prime }: (typeof curves)["nistp256"], x: bigint): bigint | undefined => {
  const square = (x ** 3n - 3n * x + b) % prime
  let y = 1n
  for (const bit of ((prime + 1n) / 4n).toString(2)) {
    y = y * y % prime
    if (bit === "1") y = y * square % prime
  }
  return (y * y - square) % prime === 0n ? y : undefined
}

describe("a point of a curve", () => {
  const pointOf = (type: string): Uint8Array => {
    const { material } = keyOf(type)
    if (material.kind !== "ecdsa") throw new Error("a key without a point")
    return concatBytes([new Uint8Array([4]), material.x, material.y])
  }

  it("is on it, uncompressed, and of its length", () => {
    for (const [curve, size] of [["nistp256", 32], ["nistp384", 48], ["nistp521", 66]] as const) {
      const good = pointOf(`ecdsa-sha2-${curve}`)
      expect(Either.getOrThrow(readPoint(curve, good))).toEqual({ x: good.slice(1, 1 + size), y: good.slice(1 + size) })
      const changed = (at: number, value: number): Uint8Array => good.map((byte, index) => index === at ? value : byte)
      for (
        const bad of [changed(0, 2), good.subarray(0, -1), concatBytes([good, new Uint8Array(1)]), new Uint8Array()]
      ) {
        expect(left(readPoint(curve, bad))).toBe(`its point is not an uncompressed one of ${curve}`)
      }
      const off = changed(size, (good[size] ?? 0) ^ 1)
      const beyond = concatBytes([new Uint8Array([4]), new Uint8Array(2 * size).fill(0xff)])
      const zero = concatBytes([new Uint8Array([4]), new Uint8Array(2 * size)])
      for (const bad of [off, beyond, zero]) expect(left(readPoint(curve, bad))).toBe(`its point is not on ${curve}`)
    }
  })

  it("has coordinates below the order less one, and of more bits than half of the order's", () => {
    for (const { order, prime } of Object.values(curves)) {
      expect(order < prime).toBe(true)
      expect(order.toString(2).length).toBe(prime.toString(2).length)
    }
    for (const [name, size] of [["nistp256", 32], ["nistp384", 48], ["nistp521", 66]] as const) {
      const curve = curves[name]
      const point = (x: bigint, y: bigint) => {
        const hex = (coordinate: bigint) => coordinate.toString(16).padStart(2 * size, "0")
        return readPoint(name, new Uint8Array(Buffer.from(`04${hex(x)}${hex(y)}`, "hex")))
      }
      /** The first x from there on that has a point, of which OpenSSH takes the y. */
      const next = (from: bigint, step: bigint): readonly [bigint, bigint] => {
        const y = yOf(curve, from)
        return y === undefined ? next(from + step, step) : [from, y]
      }
      const taken = (coordinates: readonly [bigint, bigint]) => Either.isRight(point(...coordinates))
      expect(taken(next(curve.order - 2n, -1n))).toBe(true)
      expect(taken(next(curve.order - 1n, 1n))).toBe(false)
      const half = 2n ** BigInt(Math.floor(curve.order.toString(2).length / 2))
      expect(taken(next(half, 1n))).toBe(true)
      expect(taken(next(half - 1n, -1n))).toBe(false)
      const [x, y] = next(half, 1n)
      expect(left(point(x, y ^ 1n))).toBe(`its point is not on ${name}`)
      // Another way to write the same x, where the bytes have room for it.
      if (name === "nistp521") expect(taken([x + curve.prime, y])).toBe(false)
    }
  })

  it("is named by its own curve in its key", () => {
    const { blob } = keyOf("ecdsa-sha2-nistp256")
    const other = concatBytes([
      sshString("ecdsa-sha2-nistp256"),
      sshString("nistp384"),
      sshString(pointOf("ecdsa-sha2-nistp384"))
    ])
    expect(problemOf(blob)).toBeUndefined()
    expect(problemOf(other)).toMatch(/its curve is not nistp256/)
  })
})

describe("a signature's value", () => {
  const inner = (key: PublicKey, type: string, value: Uint8Array, after: Uint8Array = new Uint8Array()) =>
    readInnerSignature(key, concatBytes([sshString(type), sshString(value), after]))
  const ofEd25519 = Either.getOrThrow(readPublicKey(ed25519Blob(new Uint8Array(32).fill(9))))
  const ofToken = Either.getOrThrow(readPublicKey(skBlob("ssh:")))
  const ofRsa = Either.getOrThrow(readPublicKey(rsaBlob(number(3072, 1))))

  it("has the form that its key's type has", () => {
    expect(left(inner(ofEd25519, "ssh-ed25519", new Uint8Array(63)))).toContain("not of 64 bytes")
    expect(left(inner(ofEd25519, "ssh-ed25519", new Uint8Array(65)))).toContain("not of 64 bytes")
    expect(left(inner(ofEd25519, "ssh-rsa", new Uint8Array(64)))).toContain("not of the type ssh-ed25519")
    expect(left(inner(ofEd25519, "ssh-ed25519", new Uint8Array(64), new Uint8Array(1)))).toContain("after its end")
    expect(left(inner(ofRsa, "ssh-rsa", new Uint8Array(384)))).toContain("neither rsa-sha2-256 nor rsa-sha2-512")
    expect(left(inner(ofRsa, "rsa-sha2-256", new Uint8Array(383)))).toContain("not as long as its key, 384 bytes")
    expect(left(inner(ofRsa, "rsa-sha2-512", new Uint8Array(385)))).toContain("not as long as its key, 384 bytes")
    expect(Either.getOrThrow(inner(ofRsa, "rsa-sha2-256", new Uint8Array(384)))).toMatchObject({ hash: "sha256" })
    expect(Either.getOrThrow(inner(ofRsa, "rsa-sha2-512", new Uint8Array(384)))).toMatchObject({ hash: "sha512" })
  })

  it("of a curve has two numbers that are no longer than the curve's", () => {
    const key = keyOf("ecdsa-sha2-nistp256")
    const one = new Uint8Array([1])
    const value = (r: Uint8Array, s: Uint8Array, after: Uint8Array = new Uint8Array()) =>
      inner(key, key.type, concatBytes([mpint(r), mpint(s), after]))
    const whole = new Uint8Array(64)
    whole[31] = 1
    whole[63] = 1
    expect(Either.getOrThrow(value(one, one))).toEqual({ hash: "sha256", value: whole, touch: undefined })
    expect(Either.isRight(value(new Uint8Array(32).fill(0x7f), one))).toBe(true)
    expect(left(value(new Uint8Array(33).fill(0x7f), one))).toContain("longer than its curve allows")
    expect(left(value(one, new Uint8Array(33).fill(0x7f)))).toContain("longer than its curve allows")
    expect(left(value(one, one, new Uint8Array(1)))).toContain("bytes after its numbers")
  })

  it("of a security key is followed by its flags and its counter, and nothing else", () => {
    const said = new Uint8Array([5, 0, 0, 1, 2])
    expect(Either.getOrThrow(inner(ofToken, "sk-ssh-ed25519@openssh.com", new Uint8Array(64), said)).touch).toEqual({
      flags: 5,
      counter: 258,
      signed: said
    })
    for (const after of [said.subarray(1), concatBytes([said, said])]) {
      expect(Either.isLeft(inner(ofToken, "sk-ssh-ed25519@openssh.com", new Uint8Array(64), after))).toBe(true)
    }
  })
})

describe("a line's options", () => {
  it("are read as ssh-keygen(1) has them, and refused in words", () => {
    const taken = (text: string) => Either.getOrThrow(readSignerOptions(text))
    expect(taken(`NAMESPACES="a,b"`)).toEqual({ namespaces: "a,b", validAfter: undefined, validBefore: undefined })
    expect(taken(`namespaces="a\\"b\\c"`).namespaces).toBe(`a"b\\c`)
    expect(taken(`valid-after="20260101Z",Valid-Before="20260102Z"`)).toEqual({
      namespaces: undefined,
      validAfter: Date.UTC(2026, 0, 1),
      validBefore: Date.UTC(2026, 0, 2)
    })
    const long = "x".repeat(1023)
    const refused: ReadonlyArray<readonly [text: string, why: RegExp]> = [
      ["", /can't be read/],
      [`="a"`, /can't be read/],
      [`namespaces="a" valid-after="20260101Z"`, /can't be read/],
      [`namespaces="a",`, /can't be read/],
      ["namespaces", /namespaces needs a value in quotes/],
      ["valid-after", /valid-after needs a value in quotes/],
      [`valid-after="20260101Z",valid-after="20260102Z"`, /valid-after stands there twice/],
      [`valid-before="20260101Z",valid-before="20260101Z"`, /valid-before stands there twice/],
      [`valid-before="soon"`, /valid-before is a time in UTC that exists, like 20271231Z .* and not soon/],
      [`valid-after="20260101Z",valid-before="20260101Z"`, /ends before it begins/],
      [`namespaces="${long}"`, /namespaces is too long/],
      [`namespaces="a,${long}"`, /namespaces is too long/],
      ["cert-authority", /certificates do not count here/],
      ["no-touch-required", /"no-touch-required" is not known/]
    ]
    for (const [text, why] of refused) expect(left(readSignerOptions(text)), text).toMatch(why)
    expect(Either.isRight(readSignerOptions(`namespaces="${"x".repeat(1022)}"`))).toBe(true)
  })
})

describe("a list of patterns, at its edges,", () => {
  it("matches nothing by a pattern that is too long, as in OpenSSH", () => {
    expect(matchesList("a", `a,${"*".repeat(1023)}`)).toBe(false)
    expect(matchesList("a", "*".repeat(1022))).toBe(true)
    expect(matchesList("x".repeat(1022), "x".repeat(1022))).toBe(true)
    expect(matchesList("a", `!${"*".repeat(1022)},a`)).toBe(false)
    expect(matchesList("", "")).toBe(true)
    expect(matchesList("ab", "a")).toBe(false)
    expect(matchesList("a?", "a?")).toBe(true)
    expect(matchesList("aXbXc", "a*b*d")).toBe(false)
    expect(matchesList("aab", "*ab")).toBe(true)
  })

  it("is a plain name only without anything wild, excluded or second", () => {
    expect(onlyName("anna@felhom.eu")).toBe("anna@felhom.eu")
    for (const list of ["a*", "a?", "!a", "a,b"]) expect(onlyName(list)).toBeUndefined()
  })
})
