import { Either, ParseResult, Predicate, Schema } from "effect"
import type { Plain } from "./Plain.ts"

/** One row that could not be read: which, as far as it can be named, and why. */
export interface UnreadableRow {
  readonly row: string
  readonly problem: string
}

/** What a list gave. One bad row does not take the others down, and is not silently dropped either. */
export interface Listing<A> {
  readonly rows: ReadonlyArray<A>
  readonly unreadable: ReadonlyArray<UnreadableRow>
}

const naming = ["id", "upid", "volid", "vmid", "storage", "devpath", "node", "name"] as const

const nameOf = (row: unknown, index: number): string => {
  if (Predicate.isRecord(row)) {
    for (const key of naming) {
      const value = row[key]
      if (typeof value === "string" || typeof value === "number") return `${key} ${value}`
    }
  }
  return `row ${index + 1}`
}

const problemsOf = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message, path }) =>
    path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`
  ).join("; ")

/**
 * A decoder of `schema`, made at its first use. Most of a client's decoders are never used by the program that it is in, and to
 * make them all would take a good part of its start.
 */
const decoderOf = <A, I>(
  schema: Schema.Schema<A, I>,
  plain: Plain<A> | undefined
): (data: unknown) => Either.Either<A, ParseResult.ParseError> => {
  let decode: ReturnType<typeof Schema.decodeUnknownEither<A, I>> | undefined
  return (data) => {
    const found = plain?.(data)
    return found === undefined ? (decode ??= Schema.decodeUnknownEither(schema))(data) : Either.right(found)
  }
}

/**
 * What was made of the very same object before is given again: an answer that says what the last one said comes as that one
 * (AnswerMemory), and nobody changes it.
 */
export const decodedOnce = <A>(decode: (data: unknown) => A): (data: unknown) => A => {
  let known: WeakMap<object, { readonly found: A }> | undefined
  return (data) => {
    if (typeof data !== "object" || data === null) return decode(data)
    const before = known?.get(data)
    if (before !== undefined) return before.found
    const found = decode(data)
    known ??= new WeakMap()
    known.set(data, { found })
    return found
  }
}

/**
 * Decodes each row by itself. `Left` when the data is no list at all; null is an empty one (platform-facts 7.3).
 *
 * Of a list that is asked for each cycle most rows come as they came last time. With `recurring`, what was made of those is
 * given again: to compare a row's text takes a small part of what decoding it does. It holds the rows of the last answer.
 */
export const decodeListing = <A, I>(
  row: Schema.Schema<A, I>,
  options: { readonly recurring?: boolean; readonly plain?: Plain<A> } = {}
) => {
  const decode = decoderOf(row, options.plain)
  let known: ReadonlyMap<string, A> = new Map()
  return decodedOnce((data): Either.Either<Listing<A>, string> => {
    if (data === null || data === undefined) return Either.right({ rows: [], unreadable: [] })
    if (!Array.isArray(data)) return Either.left("expected a list")
    const rows: Array<A> = []
    const unreadable: Array<UnreadableRow> = []
    const seen = new Map<string, A>()
    for (const [index, raw] of data.entries()) {
      const text = options.recurring === true ? JSON.stringify(raw) : ""
      const again = text === "" ? undefined : known.get(text)
      const found = again === undefined ? decode(raw) : Either.right(again)
      if (Either.isLeft(found)) {
        unreadable.push({ row: nameOf(raw, index), problem: problemsOf(found.left) })
        continue
      }
      rows.push(found.right)
      if (text !== "") seen.set(text, found.right)
    }
    known = seen
    return Either.right({ rows, unreadable })
  })
}

/** Decodes one object; `Left` says what is wrong with it. */
export const decodeObject = <A, I>(schema: Schema.Schema<A, I>, plain?: Plain<A>) => {
  const decode = decoderOf(schema, plain)
  return decodedOnce((data): Either.Either<A, string> => Either.mapLeft(decode(data), problemsOf))
}
