import { ByteReader, sameBytes, Work } from "@felhom/domain/ByteReader"
import { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { Effect, Either, Encoding, Schema } from "effect"
import { keyOfType, skipBlanks, word } from "./KeyText.ts"
import { krlMagic, readKrl } from "./Krl.ts"

/** A revocation list that can't be read. Until it can, nobody's signature counts: whoever was revoked might be among them. */
export class RevocationListError extends Schema.TaggedError<RevocationListError>()("RevocationListError", {
  reason: Schema.Literal("too-long", "line", "krl"),
  detail: Schema.String
}) {
  override get message(): string {
    return `the revocation list: ${this.detail}; mend it, nobody counts until then`
  }
}

/** Keys that no longer count. Sets of base64: of the key's blob, and of its fingerprints. */
export interface RevocationList {
  readonly keys: ReadonlySet<string>
  readonly sha1: ReadonlySet<string>
  readonly sha256: ReadonlySet<string>
}

/** For where none is configured. */
export const nothingRevoked: RevocationList = { keys: new Set(), sha1: new Set(), sha256: new Set() }

const union = (a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> =>
  b.size === 0 ? a : a.size === 0 ? b : new Set([...a, ...b])

/** What either of the lists names. */
export const bothRevoked = (one: RevocationList, other: RevocationList): RevocationList => ({
  keys: union(one.keys, other.keys),
  sha1: union(one.sha1, other.sha1),
  sha256: union(one.sha256, other.sha256)
})

const mostBytes = 4 * 1024 * 1024

const refuse = (reason: RevocationListError["reason"], detail: string) =>
  Either.left(new RevocationListError({ reason, detail }))

const named = (blobs: ReadonlyArray<Uint8Array>): ReadonlySet<string> =>
  new Set(blobs.map((blob) => Encoding.encodeBase64(blob)))

const readBinary = (file: Uint8Array, work: Work): Either.Either<RevocationList, RevocationListError> =>
  Either.mapBoth(readKrl(file, work), {
    onLeft: (detail) => new RevocationListError({ reason: "krl", detail }),
    onRight: ({ keys, sha1, sha256 }) => ({ keys: named(keys), sha1: named(sha1), sha256: named(sha256) })
  })

/** The CR of a CRLF ends the key here, as for OpenSSH; a line that holds nothing else is none that OpenSSH reads. */
const ofLine = (bytes: Uint8Array, work: Work): Either.Either<Uint8Array | undefined, string> => {
  const crlf = bytes.at(-1) === 0x0d
  const reader = new ByteReader(crlf ? bytes.subarray(0, -1) : bytes, work)
  skipBlanks(reader)
  if (reader.left === 0) return crlf ? Either.left("it holds a CR alone") : Either.right(undefined)
  if (reader.peek() === 0x23) return Either.right(undefined)
  return Either.map(keyOfType(word(reader), reader, work), ({ blob }) => blob)
}

const readText = (file: Uint8Array, work: Work): Either.Either<RevocationList, RevocationListError> => {
  const blobs: Array<Uint8Array> = []
  const lines = new ByteReader(file, work)
  for (let number = 1, bytes = lines.line(); bytes !== undefined; number += 1, bytes = lines.line()) {
    const found: Either.Either<Uint8Array | undefined, string> = bytes.includes(0)
      ? Either.left("it holds a NUL")
      : ofLine(bytes, work)
    if (Either.isLeft(found)) return refuse("line", `line ${number} is not a public key: ${found.left}`)
    if (found.right !== undefined) blobs.push(found.right)
  }
  return Either.right({ ...nothingRevoked, keys: named(blobs) })
}

/**
 * Reads a whole file: a list of public keys, one a line, or a KRL (KEY REVOCATION LISTS in ssh-keygen(1)). An empty file
 * revokes nobody. A listed key need not be one that could sign here.
 */
export const readRevocationList = (
  file: Uint8Array,
  work: Work = new Work()
): Either.Either<RevocationList, RevocationListError> => {
  if (file.length > mostBytes) return refuse("too-long", `it is longer than ${mostBytes} bytes`)
  return sameBytes(file.subarray(0, krlMagic.length), krlMagic) ? readBinary(file, work) : readText(file, work)
}

/** Whether the list names the key, itself or by a fingerprint. */
export const isRevoked = (
  list: RevocationList,
  blob: Uint8Array
): Effect.Effect<boolean, never, SignatureCrypto> => {
  const isNamed = list.keys.size > 0 && list.keys.has(Encoding.encodeBase64(blob))
  // Mostly there is no list, or one of plain keys.
  if (isNamed || list.sha1.size + list.sha256.size === 0) return Effect.succeed(isNamed)
  return Effect.flatMap(
    SignatureCrypto,
    (crypto) =>
      Effect.exists(["sha1", "sha256"] as const, (algorithm) =>
        list[algorithm].size === 0
          ? Effect.succeed(false)
          : Effect.map(crypto.digest(algorithm, blob), (digest) => list[algorithm].has(Encoding.encodeBase64(digest))))
  )
}
