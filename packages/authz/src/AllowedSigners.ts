import { ByteReader, byteText, Work } from "@felhom/domain/ByteReader"
import { Either, Schema } from "effect"
import { isBlank, keyOfType, skipBlanks, withoutReturn, word } from "./KeyText.ts"
import { longestPattern } from "./PatternList.ts"
import { isKeyType, type PublicKey, signerKeyProblem } from "./PublicKey.ts"
import { noOptions, readSignerOptions, type SignerOptions } from "./SignerOptions.ts"

/** An allow-list that can't be taken: one bad line refuses it whole, since nobody knows what it was meant to say. */
export class AllowedSignersError extends Schema.TaggedError<AllowedSignersError>()("AllowedSignersError", {
  reason: Schema.Literal("too-long", "line"),
  /** From 1; 0 for the file as a whole. */
  line: Schema.Int,
  detail: Schema.String
}) {
  /** What is wrong, and where. */
  get place(): string {
    return this.reason === "line"
      ? `line ${this.line} of the allowed signers: ${this.detail}`
      : `the allowed signers: ${this.detail}`
  }

  override get message(): string {
    return `${this.place}; mend that, nobody counts until then`
  }
}

/** One line: whose key it is, and for what and when it counts. */
export interface AllowedSigner extends SignerOptions {
  readonly line: number
  /** Patterns of principals. */
  readonly principals: string
  readonly key: PublicKey
}

/** An allow-list in OpenSSH's form (ALLOWED SIGNERS in ssh-keygen(1)). */
export interface AllowedSigners {
  readonly signers: ReadonlyArray<AllowedSigner>
  /** The lines with exactly this key, in their order. */
  readonly withKey: (blob: Uint8Array) => ReadonlyArray<AllowedSigner>
}

/** Ten thousand signers with small keys; a fleet has a handful. */
const mostBytes = 1024 * 1024

type Read<A> = Either.Either<A, string>

const quote = 0x22
const backslash = 0x5c

/** Up to a blank that is not within quotes; `\"` neither opens nor closes them. */
const optionsText = (reader: ByteReader): Read<string> => {
  let quoted = false
  let escaping = false
  const bytes = reader.takeWhile((byte) => {
    if (isBlank(byte) && !quoted) return false
    if (byte === quote && !escaping) quoted = !quoted
    escaping = byte === backslash
    return true
  })
  return quoted ? Either.left("a quote is not closed") : Either.right(byteText(bytes))
}

const readLine = (bytes: Uint8Array, line: number, work: Work): Read<AllowedSigner | undefined> =>
  Either.gen(function*() {
    const reader = new ByteReader(withoutReturn(bytes), work)
    skipBlanks(reader)
    if (reader.left === 0 || reader.peek() === 0x23) return undefined
    const principals = word(reader)
    if (principals === "-----BEGIN" && byteText(bytes).includes("PRIVATE KEY")) {
      return yield* Either.left(
        "it is of a private key: the public one belongs here (KEY.pub), and this one nowhere but with its owner"
      )
    }
    if (/["\u0000-\u001f\u007f]/.test(principals)) {
      return yield* Either.left("a principal may hold neither a quote nor control characters")
    }
    if (principals.split(",").some((pattern) => pattern.length > longestPattern)) {
      return yield* Either.left("a pattern of its principals is too long to match")
    }
    skipBlanks(reader)
    const text = yield* optionsText(reader)
    if (text === "") return yield* Either.left("it names no key")
    const named = isKeyType(text)
    const options = named ? noOptions : yield* readSignerOptions(text)
    if (!named) skipBlanks(reader)
    const key = yield* keyOfType(named ? text : word(reader), reader, work)
    const problem = signerKeyProblem(key)
    if (problem !== undefined) return yield* Either.left(`its key can't sign here: ${problem}`)
    return { line, principals, key, ...options }
  })

const indexed = (signers: ReadonlyArray<AllowedSigner>): AllowedSigners => {
  const byKey = new Map<string, Array<AllowedSigner>>()
  for (const signer of signers) {
    const name = byteText(signer.key.blob)
    const same = byKey.get(name)
    if (same === undefined) byKey.set(name, [signer])
    else same.push(signer)
  }
  return { signers, withKey: (blob) => byKey.get(byteText(blob)) ?? [] }
}

/** Reads a whole file. Blank lines and those that begin with `#` say nothing; every other must be right. */
export const readAllowedSigners = (
  file: Uint8Array,
  work: Work = new Work()
): Either.Either<AllowedSigners, AllowedSignersError> => {
  if (file.length > mostBytes) {
    return Either.left(
      new AllowedSignersError({ reason: "too-long", line: 0, detail: `they are longer than ${mostBytes} bytes` })
    )
  }
  const signers: Array<AllowedSigner> = []
  const lines = new ByteReader(file, work)
  for (let number = 1, bytes = lines.line(); bytes !== undefined; number += 1, bytes = lines.line()) {
    const found: Read<AllowedSigner | undefined> = bytes.includes(0)
      ? Either.left("it holds a NUL")
      : readLine(bytes, number, work)
    if (Either.isLeft(found)) {
      return Either.left(new AllowedSignersError({ reason: "line", line: number, detail: found.left }))
    }
    if (found.right !== undefined) signers.push(found.right)
  }
  return Either.right(indexed(signers))
}
