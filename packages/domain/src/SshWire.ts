import { Either } from "effect"

const encoder = new TextEncoder()

/** Bytes put one after another. */
export const concatBytes = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** An unsigned integer of 32 bits (RFC 4251, section 5). */
export const uint32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** A string: its length as a uint32, then its bytes (RFC 4251, section 5). */
export const sshString = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === "string" ? encoder.encode(value) : value
  return concatBytes([uint32(bytes.length), bytes])
}

/** Reads from the front of `bytes`; every reading gives what is left, or says that the bytes end too early. */
export interface Taken<A> {
  readonly value: A
  readonly rest: Uint8Array
}

const tooShort = "it ends in the middle of a field"

export const takeBytes = (bytes: Uint8Array, length: number): Either.Either<Taken<Uint8Array>, string> =>
  length > bytes.length
    ? Either.left(tooShort)
    : Either.right({ value: bytes.slice(0, length), rest: bytes.slice(length) })

export const takeUint32 = (bytes: Uint8Array): Either.Either<Taken<number>, string> =>
  Either.map(takeBytes(bytes, 4), ({ rest, value }) => ({ value: new DataView(value.buffer).getUint32(0), rest }))

export const takeString = (bytes: Uint8Array): Either.Either<Taken<Uint8Array>, string> =>
  Either.flatMap(takeUint32(bytes), ({ rest, value }) => takeBytes(rest, value))
