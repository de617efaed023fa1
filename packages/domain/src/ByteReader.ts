import { Either } from "effect"

/** How much a parser did, in bytes that it looked at: shows that its work grows with its input and no faster. */
export class Work {
  bytes = 0
}

/** What every reading says that would pass the end. */
export const endsWithin = "it ends in the middle of a field"

const tooShort = Either.left(endsWithin)

/**
 * Reads untrusted bytes from front to back. What it gives are views of them, not copies. A reading that would pass the end
 * is a left that says so, and moves nothing.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #work: Work
  #at = 0

  /** Readers of one parse share their `work`. */
  constructor(bytes: Uint8Array, work: Work = new Work()) {
    this.#bytes = bytes
    this.#work = work
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number): Either.Either<Uint8Array, string> {
    if (length > this.left) return tooShort
    this.#work.bytes += length
    this.#at += length
    return Either.right(this.#bytes.subarray(this.#at - length, this.#at))
  }

  byte(): Either.Either<number, string> {
    return Either.map(this.take(1), ([value]) => value ?? 0)
  }

  /** Of the next four bytes, which are there. A `DataView` for each would cost more than the rest of a small field. */
  #number(): number {
    const bytes = this.#bytes
    const at = this.#at
    this.#work.bytes += 4
    this.#at += 4
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  /** Big-endian (RFC 4251, section 5). */
  uint32(): Either.Either<number, string> {
    return this.left < 4 ? tooShort : Either.right(this.#number())
  }

  /** A string: its length as a uint32, then its bytes (RFC 4251, section 5). */
  string(): Either.Either<Uint8Array, string> {
    if (this.left < 4) return tooShort
    const start = this.#at
    const whole = this.take(this.#number())
    if (Either.isLeft(whole)) this.#at = start
    return whole
  }

  /** The next byte, which stays where it is; undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at]
  }

  /** All bytes up to the first that is not accepted, or to the end; possibly none. */
  takeWhile(accepted: (byte: number) => boolean): Uint8Array {
    const start = this.#at
    for (let byte = this.peek(); byte !== undefined && accepted(byte); byte = this.peek()) this.#at += 1
    this.#work.bytes += this.#at - start + 1
    return this.#bytes.subarray(start, this.#at)
  }

  /** The next line without its LF, or what is left when there is none; undefined at the end. */
  line(): Uint8Array | undefined {
    if (this.left === 0) return undefined
    const line = this.takeWhile((byte) => byte !== 0x0a)
    if (this.left > 0) this.#at += 1
    return line
  }
}

/** A call takes only so many arguments. */
const argumentsAtOnce = 4096

/** Each byte as the character of that number: text that is compared with ASCII words, whatever else may stand in it. */
export const byteText = (bytes: Uint8Array): string => {
  let text = ""
  for (let at = 0; at < bytes.length; at += argumentsAtOnce) {
    // Neither one by one nor spread: V8 takes many times as long for these, most of all while it has not compiled them yet.
    const part: string = Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + argumentsAtOnce))
    text += part
  }
  return text
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The text that these bytes are in UTF-8, with a byte-order mark left in it; undefined when they are none. */
export const strictText = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** Whether both hold the same bytes. Not for secrets: it ends at the first difference. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])
