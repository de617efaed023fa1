import { ByteReader, byteText, endsWithin, type Work } from "@felhom/domain/ByteReader"
import type { KeyMaterial } from "@felhom/domain/port/SignatureCrypto"
import { concatBytes } from "@felhom/domain/SshWire"
import { Either } from "effect"
import { curves } from "./EcPoint.ts"
import { readMpint } from "./Mpint.ts"
import type { PublicKey } from "./PublicKey.ts"

/** What a security key says of the moment in which it signed (PROTOCOL.u2f). */
export interface Touch {
  readonly flags: number
  readonly counter: number
  /** The same two as they were signed: a byte and a uint32. */
  readonly signed: Uint8Array
}

/** A signature value, ready to be verified. */
export interface InnerSignature {
  readonly hash: "sha256" | "sha384" | "sha512"
  /** 64 bytes of ed25519, `r` and `s` in full length, or the number of an RSA signature. */
  readonly value: Uint8Array
  /** Only of a security key. */
  readonly touch: Touch | undefined
}

type Read<A> = Either.Either<A, string>
type Value = Omit<InnerSignature, "touch">

const padded = (number: Uint8Array, size: number): Read<Uint8Array> =>
  number.length > size
    ? Either.left("a number in it is longer than its curve allows")
    : Either.right(concatBytes([new Uint8Array(size - number.length), number]))

const ecdsaHashes = { nistp256: "sha256", nistp384: "sha384", nistp521: "sha512" } as const

const rsaHash = (type: string): Read<"sha256" | "sha512"> => {
  switch (type) {
    case "rsa-sha2-256":
      return Either.right("sha256")
    case "rsa-sha2-512":
      return Either.right("sha512")
    default:
      return Either.left("it is neither rsa-sha2-256 nor rsa-sha2-512")
  }
}

const valueOf = (material: KeyMaterial, type: string, value: Uint8Array, work?: Work): Read<Value> => {
  switch (material.kind) {
    case "ed25519":
      return value.length === 64
        ? Either.right({ hash: "sha512", value })
        : Either.left("it is not of 64 bytes")
    case "ecdsa":
      return Either.gen(function*() {
        const { size } = curves[material.curve]
        const reader = new ByteReader(value, work)
        const r = yield* padded(yield* readMpint(reader), size)
        const s = yield* padded(yield* readMpint(reader), size)
        if (reader.left > 0) return yield* Either.left("there are bytes after its numbers")
        return { hash: ecdsaHashes[material.curve], value: concatBytes([r, s]) }
      })
    case "rsa":
      return Either.flatMap(rsaHash(type), (hash): Read<Value> =>
        value.length === material.modulus.length
          ? Either.right({ hash, value })
          : Either.left(`it is not as long as its key, ${material.modulus.length} bytes`))
  }
}

const noTouch = Either.right(undefined)

const touchOf = (reader: ByteReader): Read<Touch> =>
  Either.gen(function*() {
    const signed = yield* reader.take(5)
    const fields = new ByteReader(signed)
    return { flags: yield* fields.byte(), counter: yield* fields.uint32(), signed }
  })

/** Takes `string type, string value` apart, as a signature by this key; behind it a security key's flags and counter. */
export const readInnerSignature = (key: PublicKey, bytes: Uint8Array, work?: Work): Read<InnerSignature> => {
  const reader = new ByteReader(bytes, work)
  const typeBytes = reader.string()
  const value = reader.string()
  const touch: Read<Touch | undefined> = key.application === undefined ? noTouch : touchOf(reader)
  if (Either.isLeft(typeBytes) || Either.isLeft(value) || Either.isLeft(touch)) return Either.left(endsWithin)
  const type = byteText(typeBytes.right)
  // An RSA key's signatures bear the name of their hash; all others that of their key.
  if (key.material.kind !== "rsa" && type !== key.type) return Either.left(`it is not of the type ${key.type}`)
  if (reader.left > 0) return Either.left("there are bytes after its end")
  return Either.map(
    valueOf(key.material, type, value.right, work),
    ({ hash, value }) => ({ hash, value, touch: touch.right })
  )
}
