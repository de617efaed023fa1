import { concatBytes, sshString, uint32 } from "@felhom/domain/SshWire"
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto"

/** What can be odd about the value of a signature that still is one. */
export interface Oddities {
  /** The byte of a security key: 1 touched, 4 verified. */
  readonly flags: number
  /** Zeros before each number, as OpenSSH bears them and protocol 5 does not. */
  readonly leadingZeros: number
  /** Bytes after the end of the value. */
  readonly trailing: number
  readonly rsaHash: "sha256" | "sha512"
}

/** A key of any type that SSHSIG knows, made here; security keys among them, since a program can be one. */
export interface SoftwareKey {
  readonly type: string
  /** The public key before base64. */
  readonly blob: Uint8Array
  /** `string type, string value`, and what a security key adds. */
  readonly sign: (data: Uint8Array, odd: Oddities) => Uint8Array
}

const sha256 = (data: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(data).digest())

const fromJwk = (key: KeyObject, field: "x" | "y" | "n" | "e"): Uint8Array =>
  new Uint8Array(Buffer.from(key.export({ format: "jwk" })[field] ?? "", "base64url"))

/** A number in the form of RFC 4251, after as many more zeros as are asked for. */
const mpint = (number: Uint8Array, zeros = 0): Uint8Array => {
  const first = number.findIndex((byte) => byte !== 0)
  const short = first < 0 ? new Uint8Array() : number.subarray(first)
  const sign = (short[0] ?? 0) >= 0x80 ? 1 : 0
  return sshString(concatBytes([new Uint8Array(sign + zeros), short]))
}

const numbers = (value: Uint8Array, zeros: number): Uint8Array =>
  concatBytes([mpint(value.subarray(0, value.length / 2), zeros), mpint(value.subarray(value.length / 2), zeros)])

const wrapped = (type: string, value: Uint8Array, odd: Oddities): Uint8Array =>
  concatBytes([sshString(type), sshString(value), new Uint8Array(odd.trailing)])

const ed25519 = (): SoftwareKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const type = "ssh-ed25519"
  return {
    type,
    blob: concatBytes([sshString(type), sshString(fromJwk(publicKey, "x"))]),
    sign: (data, odd) => wrapped(type, sign(null, data, privateKey), odd)
  }
}

const point = (key: KeyObject): Uint8Array => concatBytes([new Uint8Array([4]), fromJwk(key, "x"), fromJwk(key, "y")])

const ecdsaValue = (hash: string, data: Uint8Array, key: KeyObject, odd: Oddities): Uint8Array =>
  numbers(sign(hash, data, { key, dsaEncoding: "ieee-p1363" }), odd.leadingZeros)

const ecdsa = (bits: 256 | 384 | 521, hash: string): SoftwareKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: `P-${bits}` })
  const type = `ecdsa-sha2-nistp${bits}`
  return {
    type,
    blob: concatBytes([sshString(type), sshString(`nistp${bits}`), sshString(point(publicKey))]),
    sign: (data, odd) => wrapped(type, ecdsaValue(hash, data, privateKey, odd), odd)
  }
}

const rsa = (bits: number): SoftwareKey => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: bits })
  return {
    type: "ssh-rsa",
    blob: concatBytes([sshString("ssh-rsa"), mpint(fromJwk(publicKey, "e")), mpint(fromJwk(publicKey, "n"))]),
    sign: (data, odd) =>
      wrapped(odd.rsaHash === "sha256" ? "rsa-sha2-256" : "rsa-sha2-512", sign(odd.rsaHash, data, privateKey), odd)
  }
}

const counter = 7

const securityKey = (
  type: string,
  publicFields: Uint8Array,
  application: string,
  value: (data: Uint8Array, odd: Oddities) => Uint8Array
): SoftwareKey => ({
  type,
  blob: concatBytes([sshString(type), publicFields, sshString(application)]),
  sign: (data, odd) => {
    const said = concatBytes([new Uint8Array([odd.flags]), uint32(counter)])
    const signed = concatBytes([sha256(new TextEncoder().encode(application)), said, sha256(data)])
    return concatBytes([sshString(type), sshString(value(signed, odd)), said, new Uint8Array(odd.trailing)])
  }
})

const skEd25519 = (application: string): SoftwareKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  return securityKey(
    "sk-ssh-ed25519@openssh.com",
    sshString(fromJwk(publicKey, "x")),
    application,
    (data) => sign(null, data, privateKey)
  )
}

const skEcdsa = (application: string): SoftwareKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  return securityKey(
    "sk-ecdsa-sha2-nistp256@openssh.com",
    concatBytes([sshString("nistp256"), sshString(point(publicKey))]),
    application,
    (data, odd) => ecdsaValue("sha256", data, privateKey, odd)
  )
}

/** One of each type that may sign, and a few that only nearly may. */
export const everyKey = (): ReadonlyArray<SoftwareKey> => [
  ed25519(),
  ed25519(),
  ecdsa(256, "sha256"),
  ecdsa(384, "sha384"),
  ecdsa(521, "sha512"),
  rsa(3072),
  rsa(2048),
  skEd25519("ssh:"),
  skEd25519("web:felhom"),
  skEcdsa("ssh:felhom")
]
