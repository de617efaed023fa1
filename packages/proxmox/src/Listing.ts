import { Either, ParseResult, Predicate, Schema } from "effect"

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
const decoderOf = <A, I>(schema: Schema.Schema<A, I>): (data: unknown) => Either.Either<A, ParseResult.ParseError> => {
  let decode: ReturnType<typeof Schema.decodeUnknownEither<A, I>> | undefined
  return (data) => (decode ??= Schema.decodeUnknownEither(schema))(data)
}

/** Decodes each row by itself. `Left` when the data is no list at all; null is an empty one (platform-facts 7.3). */
export const decodeListing = <A, I>(row: Schema.Schema<A, I>) => {
  const decode = decoderOf(row)
  return (data: unknown): Either.Either<Listing<A>, string> => {
    if (data === null || data === undefined) return Either.right({ rows: [], unreadable: [] })
    if (!Array.isArray(data)) return Either.left("expected a list")
    const rows: Array<A> = []
    const unreadable: Array<UnreadableRow> = []
    for (const [index, raw] of data.entries()) {
      Either.match(decode(raw), {
        onLeft: (error) => {
          unreadable.push({ row: nameOf(raw, index), problem: problemsOf(error) })
        },
        onRight: (value) => {
          rows.push(value)
        }
      })
    }
    return Either.right({ rows, unreadable })
  }
}

/** Decodes one object; `Left` says what is wrong with it. */
export const decodeObject = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = decoderOf(schema)
  return (data: unknown): Either.Either<A, string> => Either.mapLeft(decode(data), problemsOf)
}
