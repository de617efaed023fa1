import { type ByteReader, byteText, type Work } from "@felhom/domain/ByteReader"
import { decodeCanonicalBase64 } from "@felhom/domain/Sshsig"
import { Either } from "effect"
import { isKeyType, type PublicKey, readPublicKey } from "./PublicKey.ts"

export const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09

export const skipBlanks = (reader: ByteReader): void => {
  reader.takeWhile(isBlank)
}

/** The next characters up to a blank, as text. */
export const word = (reader: ByteReader): string => byteText(reader.takeWhile((byte) => !isBlank(byte)))

/** The key whose type was just read: base64 of what must be of that type. */
export const keyOfType = (type: string, reader: ByteReader, work: Work): Either.Either<PublicKey, string> => {
  if (!isKeyType(type)) return Either.left(`${JSON.stringify(type)} is not the type of a key that counts here`)
  skipBlanks(reader)
  return Either.gen(function*() {
    const blob = yield* Either.mapLeft(decodeCanonicalBase64(word(reader)), (why) => `its key is wrong: ${why}`)
    const key = yield* Either.mapLeft(readPublicKey(blob, work), (why) => `its key is wrong: ${why}`)
    return key.type === type ? key : yield* Either.left(`its key is of the type ${key.type}, and not ${type}`)
  })
}

/** A line without the CR that an editor on another system leaves at its end. */
export const withoutReturn = (line: Uint8Array): Uint8Array => (line.at(-1) === 0x0d ? line.subarray(0, -1) : line)
