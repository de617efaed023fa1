import { Effect, Either, Encoding, Schema } from "effect"
import { ByteReader, byteText, endsWithin, sameBytes, strictText, type Work } from "./ByteReader.ts"
import { Ed25519, type Ed25519Key } from "./port/Ed25519.ts"
import { isSmallOrder } from "./SmallOrderKey.ts"
import { concatBytes, sshString, uint32 } from "./SshWire.ts"

/** Why a signature is not accepted; `detail` says where. Nothing that it covers may be believed. */
export class SshsigError extends Schema.TaggedError<SshsigError>()("SshsigError", {
  reason: Schema.Literal("armor", "blob", "version", "reserved", "hash", "key", "namespace", "other-key", "signature"),
  detail: Schema.String
}) {
  override get message(): string {
    return `the signature is not accepted: ${this.detail}`
  }
}

/** A signature in OpenSSH's own form (PROTOCOL.sshsig) by a key of any type, taken apart but not verified. */
export interface SshsigParts {
  /** The key's blob, as it stands in `authorized_keys` before base64. */
  readonly publicKey: Uint8Array
  /** No NUL is in it. */
  readonly namespace: string
  readonly hash: "sha256" | "sha512"
  /** `string type`, then what that type holds. */
  readonly signature: Uint8Array
}

/** The same by an ed25519 key, as hosts sign. */
export interface Sshsig {
  /** 32 bytes; never a small-order point. */
  readonly publicKey: Uint8Array
  readonly namespace: string
  readonly hash: "sha256" | "sha512"
  /** 64 bytes. */
  readonly signature: Uint8Array
}

const keyType = "ssh-ed25519"
const magic = "SSHSIG"
const version = 1
const header = "-----BEGIN SSH SIGNATURE-----"
const footer = "-----END SSH SIGNATURE-----"
/** As `ssh-keygen` breaks its lines. */
const lineLength = 70

/** Bounds of protocol 5, in bytes. */
const limits = { armor: 16 * 1024, blob: 8 * 1024, line: 64 } as const

const refuse = (reason: SshsigError["reason"], detail: string) => Either.left(new SshsigError({ reason, detail }))

const notBase64 = Either.left("it is not base64")

/** What a character of base64 says, by its code; negative for one that says nothing. */
const sextets = new Int8Array(128).fill(-1)
for (const [value, character] of [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].entries()) {
  sextets[character.charCodeAt(0)] = value
}

const sextet = (text: string, at: number): number => sextets[text.charCodeAt(at)] ?? -1

/** Four characters as 24 bits, an `A` in the place of those from `end` on; negative when one of them says nothing. */
const quantum = (text: string, from: number, end: number): number =>
  (sextet(text, from) << 18) | (sextet(text, from + 1) << 12) |
  (from + 2 < end ? sextet(text, from + 2) << 6 : 0) | (from + 3 < end ? sextet(text, from + 3) : 0)

/** Base64 with its padding and nothing else: the one text for these bytes. */
export const decodeCanonicalBase64 = (base64: string): Either.Either<Uint8Array, string> => {
  if (base64.length % 4 !== 0) return notBase64
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0
  const bytes = new Uint8Array(base64.length / 4 * 3 - padding)
  const end = base64.length - padding
  let bits = 0
  for (let from = 0, at = 0; from < base64.length; from += 4, at += 3) {
    bits = quantum(base64, from, end)
    if (bits < 0) return notBase64
    // Beyond the end of the array nothing is written.
    bytes[at] = bits >>> 16
    bytes[at + 1] = bits >>> 8
    bytes[at + 2] = bits
  }
  // The last character may say more bits than there are bytes for.
  const surplus = bits & (padding === 0 ? 0 : padding === 1 ? 0xff : 0xffff)
  return surplus === 0 ? Either.right(bytes) : Either.left("its base64 is not canonical")
}

const utf8 = new TextEncoder()
const beginning = `${header}\n`
const ending = `\n${footer}`

/** The lines of `text` from there to the LF at `end`, put together; undefined when they are not of one length, but for the last. */
const joinedLines = (text: string, from: number, end: number): string | undefined => {
  const width = text.indexOf("\n", from) - from
  if (from + width < end && width < limits.line) return undefined
  let whole = ""
  for (let at = from; at <= end; at += width + 1) {
    const next = text.indexOf("\n", at)
    if (next === at || next !== Math.min(at + width, end)) return undefined
    whole += text.slice(at, next)
  }
  return whole
}

/** The blob of an armored signature: LF only, nothing around it, canonical base64 in lines of one length. */
export const readArmor = (armored: string | Uint8Array, work?: Work): Either.Either<Uint8Array, SshsigError> => {
  // No character is less than one byte: what is too long is not even encoded.
  if (armored.length > limits.armor) return refuse("armor", `it is longer than ${limits.armor} bytes`)
  const text = typeof armored === "string" ? armored : byteText(armored)
  if (work !== undefined) work.bytes += text.length
  const end = (text.endsWith("\n") ? text.length - 1 : text.length) - ending.length
  if (!text.startsWith(beginning) || !text.startsWith(ending, end) || end < beginning.length) {
    return refuse("armor", `it does not stand alone between ${header} and ${footer}`)
  }
  const base64 = joinedLines(text, beginning.length, end)
  if (base64 === undefined) return refuse("armor", "its lines are not of one length")
  const blob = decodeCanonicalBase64(base64)
  return Either.isLeft(blob) ? refuse("armor", blob.left) : Either.right(blob.right)
}

/** The blob as `ssh-keygen -Y verify` reads it from a file. */
export const writeArmor = (blob: Uint8Array): string => armorOf(Encoding.encodeBase64(blob))

/** The same of a blob that is base64 already. */
export const armorOf = (base64: string): string => {
  let lines = `${header}\n`
  for (let at = 0; at < base64.length; at += lineLength) lines += `${base64.slice(at, at + lineLength)}\n`
  return `${lines}${footer}\n`
}

/** A public key as it stands in `authorized_keys` after the key's type, before base64. */
export const publicKeyBlob = (publicKey: Uint8Array): Uint8Array =>
  concatBytes([sshString(keyType), sshString(publicKey)])

const orRefused = <A>(reason: SshsigError["reason"], read: Either.Either<A, string>): Either.Either<A, SshsigError> =>
  Either.mapLeft(read, (detail) => new SshsigError({ reason, detail }))

/** `string type, string value` and nothing after, with the value of exactly that many bytes. */
const typedValue = (
  bytes: Uint8Array,
  reason: "key" | "signature",
  length: number
): Either.Either<Uint8Array, SshsigError> =>
  Either.gen(function*() {
    const reader = new ByteReader(bytes)
    const type = yield* orRefused(reason, reader.string())
    if (byteText(type) !== keyType) return yield* refuse(reason, `its ${reason} is not of the type ${keyType}`)
    const value = yield* orRefused(reason, reader.string())
    if (reader.left > 0 || value.length !== length) {
      return yield* refuse(reason, `its ${reason} is not of ${length} bytes`)
    }
    return value
  })

const hashOf = (name: string): Either.Either<Sshsig["hash"], SshsigError> =>
  name === "sha256" || name === "sha512"
    ? Either.right(name)
    : refuse("hash", "its hash is neither sha256 nor sha512")

const namespaceOf = (bytes: Uint8Array): Either.Either<string, SshsigError> => {
  const namespace = strictText(bytes)
  return namespace === undefined || namespace === "" || namespace.includes("\0")
    ? refuse("namespace", "its namespace is empty, or is no text")
    : Either.right(namespace)
}

/**
 * Takes a signature's blob apart, stricter than `ssh-keygen -Y verify` does: version 1, an empty `reserved`, sha256 or sha512,
 * and no byte too many (protocol 5). The key and the signature in it are still those bytes that were sent.
 */
export const readParts = (blob: Uint8Array, work?: Work): Either.Either<SshsigParts, SshsigError> => {
  if (blob.length > limits.blob) return refuse("blob", `it is longer than ${limits.blob} bytes`)
  if (byteText(blob.subarray(0, magic.length)) !== magic) return refuse("blob", `it does not begin with ${magic}`)
  const reader = new ByteReader(blob.subarray(magic.length), work)
  // One that is not there ends all, so it does not matter what is read in the place of those behind it.
  const found = reader.uint32()
  const publicKey = reader.string()
  const namespaceBytes = reader.string()
  const reserved = reader.string()
  const hashBytes = reader.string()
  const signature = reader.string()
  if (
    Either.isLeft(found) || Either.isLeft(publicKey) || Either.isLeft(namespaceBytes) || Either.isLeft(reserved) ||
    Either.isLeft(hashBytes) || Either.isLeft(signature)
  ) {
    return refuse("blob", endsWithin)
  }
  if (found.right !== version) return refuse("version", `its version is ${found.right} and not ${version}`)
  if (reserved.right.length > 0) return refuse("reserved", "its reserved field is not empty")
  if (reader.left > 0) return refuse("blob", "there are bytes after its end")
  const namespace = namespaceOf(namespaceBytes.right)
  if (Either.isLeft(namespace)) return Either.left(namespace.left)
  const hash = hashOf(byteText(hashBytes.right))
  return Either.isLeft(hash) ? Either.left(hash.left) : Either.right({
    publicKey: publicKey.right,
    namespace: namespace.right,
    hash: hash.right,
    signature: signature.right
  })
}

/** The same for a host's signature: ssh-ed25519 only, and no small-order key. */
export const readBlob = (blob: Uint8Array): Either.Either<Sshsig, SshsigError> =>
  Either.gen(function*() {
    const parts = yield* readParts(blob)
    const publicKey = yield* typedValue(parts.publicKey, "key", 32)
    if (isSmallOrder(publicKey)) return yield* refuse("key", "its key is of small order: anybody can sign for it")
    return { ...parts, publicKey, signature: yield* typedValue(parts.signature, "signature", 64) }
  })

const preamble = utf8.encode(magic)

/** An empty `reserved`, and the name of the hash. */
const hashFields = {
  sha256: concatBytes([sshString(""), sshString("sha256")]),
  sha512: concatBytes([sshString(""), sshString("sha512")])
}

/** What the key really signs: never the message itself, so that no other protocol's signature can pass for one of these. */
export const signedData = (namespace: string, hash: Sshsig["hash"], digest: Uint8Array): Uint8Array =>
  concatBytes([preamble, sshString(namespace), hashFields[hash], sshString(digest)])

/** Signs the message's exact bytes (sha512). The blob; `writeArmor` makes a file for `ssh-keygen` of it. */
export const signSshsig = (
  key: Ed25519Key,
  namespace: string,
  message: Uint8Array
): Effect.Effect<Uint8Array, never, Ed25519> =>
  Effect.gen(function*() {
    const curve = yield* Ed25519
    const digest = yield* curve.digest("sha512", message)
    const signature = yield* curve.sign(key, signedData(namespace, "sha512", digest))
    return concatBytes([
      utf8.encode(magic),
      uint32(version),
      sshString(publicKeyBlob(key.publicKey)),
      ...[namespace, "", "sha512"].map(sshString),
      sshString(concatBytes([sshString(keyType), sshString(signature)]))
    ])
  })

/**
 * Whether the blob is a signature over exactly these bytes, in this namespace. With `expected` it must be by that key; else
 * whose it is follows from the answer, and says nothing until that key is known from elsewhere.
 */
export const verifySshsig = (parts: {
  readonly blob: Uint8Array
  readonly namespace: string
  readonly message: Uint8Array
  readonly expected?: Uint8Array
}): Effect.Effect<Sshsig, SshsigError, Ed25519> =>
  Effect.gen(function*() {
    const curve = yield* Ed25519
    const found = yield* readBlob(parts.blob)
    if (found.namespace !== parts.namespace) {
      return yield* refuse("namespace", `it was made for another purpose than ${parts.namespace}`)
    }
    if (parts.expected !== undefined && !sameBytes(parts.expected, found.publicKey)) {
      return yield* refuse("other-key", "it is by another key")
    }
    const digest = yield* curve.digest(found.hash, parts.message)
    const data = signedData(found.namespace, found.hash, digest)
    if (!(yield* curve.verify(found.publicKey, data, found.signature))) {
      return yield* refuse("signature", "the bytes are not those that were signed")
    }
    return found
  })
