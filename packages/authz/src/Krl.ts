import { ByteReader, byteText, type Work } from "@felhom/domain/ByteReader"
import { Either } from "effect"

/** `SSHKRL`, a line feed and a NUL: what a file begins with that is a key revocation list in OpenSSH's binary form. */
export const krlMagic = new Uint8Array([0x53, 0x53, 0x48, 0x4b, 0x52, 0x4c, 0x0a, 0x00])

/** What a list names its keys by. */
export interface Krl {
  /** Whole blobs of plain keys. */
  readonly keys: ReadonlyArray<Uint8Array>
  readonly sha1: ReadonlyArray<Uint8Array>
  readonly sha256: ReadonlyArray<Uint8Array>
}

type Read<A> = Either.Either<A, string>

const formatVersion = 1

const section = { certificates: 1, keys: 2, sha1: 3, signature: 4, sha256: 5 } as const

const strings = (reader: ByteReader, length: number | undefined): Read<ReadonlyArray<Uint8Array>> => {
  const found: Array<Uint8Array> = []
  while (reader.left > 0) {
    const entry = reader.string()
    if (Either.isLeft(entry)) return Either.left(entry.left)
    if (entry.right.length === 0 || (length !== undefined && entry.right.length !== length)) {
      return Either.left(`an entry of it has ${entry.right.length} bytes`)
    }
    found.push(entry.right)
  }
  return Either.right(found)
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

/** The parts before the sections; none of them changes what the list means, or it is refused. */
const readHeader = (reader: ByteReader): Read<void> =>
  Either.gen(function*() {
    yield* reader.take(krlMagic.length)
    const version = yield* reader.uint32()
    if (version !== formatVersion) return yield* Either.left(`its format is ${version}, and ${formatVersion} is read`)
    // The list's own number and its date: nothing follows from them.
    yield* reader.take(16)
    if (!isZero(yield* reader.take(8))) return yield* Either.left("it has flags that are not known")
    if ((yield* reader.string()).length > 0) return yield* Either.left("its reserved field is not empty")
    if (byteText(yield* reader.string()).includes("\0")) return yield* Either.left("its comment holds a NUL")
  })

/**
 * Takes a key revocation list apart (PROTOCOL.krl): keys, SHA-1 and SHA-256 fingerprints of keys. A section of another kind
 * is refused, since it may revoke what this can't see: certificates, which do not count here anyway, and signatures and
 * extensions, which versions of OpenSSH treat differently.
 */
export const readKrl = (file: Uint8Array, work?: Work): Read<Krl> =>
  Either.gen(function*() {
    const reader = new ByteReader(file, work)
    yield* readHeader(reader)
    const found: { readonly [kind in keyof Krl]: Array<ReadonlyArray<Uint8Array>> } = { keys: [], sha1: [], sha256: [] }
    while (reader.left > 0) {
      const kind = yield* reader.byte()
      const content = new ByteReader(yield* reader.string(), work)
      switch (kind) {
        case section.keys:
          found.keys.push(yield* strings(content, undefined))
          break
        case section.sha1:
          found.sha1.push(yield* strings(content, 20))
          break
        case section.sha256:
          found.sha256.push(yield* strings(content, 32))
          break
        case section.certificates:
          return yield* Either.left("it revokes certificates, which are not read here; make one of plain keys")
        case section.signature:
          return yield* Either.left("it is signed, and such signatures are not read")
        default:
          return yield* Either.left(`it has a section of the unknown kind ${kind}`)
      }
    }
    return { keys: found.keys.flat(), sha1: found.sha1.flat(), sha256: found.sha256.flat() }
  })
