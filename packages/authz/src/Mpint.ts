import type { ByteReader } from "@felhom/domain/ByteReader"
import { Either } from "effect"

/**
 * A positive number in its one shortest form (RFC 4251, section 5), big-endian without the leading zero that marks it as
 * positive. OpenSSH takes longer forms, too: then two texts would be one key, and a list of texts would miss one of them.
 */
export const readMpint = (reader: ByteReader): Either.Either<Uint8Array, string> =>
  Either.flatMap(reader.string(), (bytes): Either.Either<Uint8Array, string> => {
    const [first, second] = bytes
    if (first === undefined) return Either.left("a number in it is zero")
    if (first >= 0x80) return Either.left("a number in it is negative")
    if (first > 0) return Either.right(bytes)
    return second !== undefined && second >= 0x80
      ? Either.right(bytes.subarray(1))
      : Either.left("a number in it is not written in its shortest form")
  })
