import { Effect, Either, Encoding, Schema } from "effect"
import { ByteReader, byteText, sameBytes, strictText, type Work } from "./ByteReader.ts"
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

/** Base64 with its padding and nothing else: the one text for these bytes. */
export const decodeCanonicalBase64 = (base64: string): Either.Either<Uint8Array, string> =>
  Either.flatMap(
    Either.mapLeft(Encoding.decodeBase64(base64), () => "it is not base64"),
    (bytes) =>
      Encoding.encodeBase64(bytes) === base64 ? Either.right(bytes) : Either.left("its base64 is not canonical")
  )

const utf8 = new TextEncoder()

/** The blob of an armored signature: LF only, nothing around it, canonical base64 in lines of one length. */
export const readArmor = (armored: string | Uint8Array, work?: Work): Either.Either<Uint8Array, SshsigError> => {
  // No character is less than one byte: what is too long is not even encoded.
  if (armored.length > limits.armor) return refuse("armor", `it is longer than ${limits.armor} bytes`)
  const reader = new ByteReader(typeof armored === "string" ? utf8.encode(armored) : armored, work)
  const lines: Array<string> = []
  for (let line = reader.line(); line !== undefined; line = reader.line()) lines.push(byteText(line))
  const body = lines.slice(1, -1)
  if (lines[0] !== header || lines.at(-1) !== footer || body.length === 0) {
    return refuse("armor", `it does not stand alone between ${header} and ${footer}`)
  }
  const width = body[0]?.length ?? 0
  const last = body.at(-1)?.length ?? 0
  const even = body.slice(0, -1).every((line) => line.length === width && width >= limits.line)
  if (!even || last > width || last === 0) return refuse("armor", "its lines are not of one length")
  return Either.mapLeft(
    decodeCanonicalBase64(body.join("")),
    (detail) => new SshsigError({ reason: "armor", detail })
  )
}

/** The blob as `ssh-keygen -Y verify` reads it from a file. */
export const writeArmor = (blob: Uint8Array): string =>
  [header, ...(Encoding.encodeBase64(blob).match(new RegExp(`.{1,${lineLength}}`, "g")) ?? []), footer, ""].join("\n")

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
export const readParts = (blob: Uint8Array, work?: Work): Either.Either<SshsigParts, SshsigError> =>
  Either.gen(function*() {
    if (blob.length > limits.blob) return yield* refuse("blob", `it is longer than ${limits.blob} bytes`)
    const reader = new ByteReader(blob, work)
    const preamble = yield* orRefused("blob", reader.take(magic.length))
    if (byteText(preamble) !== magic) return yield* refuse("blob", `it does not begin with ${magic}`)
    const found = yield* orRefused("blob", reader.uint32())
    if (found !== version) return yield* refuse("version", `its version is ${found} and not ${version}`)
    const publicKey = yield* orRefused("blob", reader.string())
    const namespace = yield* namespaceOf(yield* orRefused("blob", reader.string()))
    const reserved = yield* orRefused("blob", reader.string())
    if (reserved.length > 0) return yield* refuse("reserved", "its reserved field is not empty")
    const hash = yield* hashOf(byteText(yield* orRefused("blob", reader.string())))
    const signature = yield* orRefused("blob", reader.string())
    if (reader.left > 0) return yield* refuse("blob", "there are bytes after its end")
    return { publicKey, namespace, hash, signature }
  })

/** The same for a host's signature: ssh-ed25519 only, and no small-order key. */
export const readBlob = (blob: Uint8Array): Either.Either<Sshsig, SshsigError> =>
  Either.gen(function*() {
    const parts = yield* readParts(blob)
    const publicKey = yield* typedValue(parts.publicKey, "key", 32)
    if (isSmallOrder(publicKey)) return yield* refuse("key", "its key is of small order: anybody can sign for it")
    return { ...parts, publicKey, signature: yield* typedValue(parts.signature, "signature", 64) }
  })

/** What the key really signs: never the message itself, so that no other protocol's signature can pass for one of these. */
export const signedData = (namespace: string, hash: Sshsig["hash"], digest: Uint8Array): Uint8Array =>
  concatBytes([utf8.encode(magic), ...[namespace, "", hash, digest].map(sshString)])

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
