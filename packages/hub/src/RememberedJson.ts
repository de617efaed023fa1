import { ParseResult, Schema } from "effect"

/** So many texts of a kind are remembered; beyond that all are decoded anew. */
const kept = 20_000

/**
 * JSON in a column that is read over and over and seldom says another thing: a text that was decoded before gives the very value
 * that it gave then. Every ten seconds the rows of all hosts are looked at, and each report looks at its token's.
 */
export const rememberedJson = <A, I>(schema: Schema.Schema<A, I>): Schema.Schema<A, string> => {
  const json = Schema.parseJson(schema)
  const decode = ParseResult.decodeUnknown(json)
  const encode = ParseResult.encodeUnknown(json)
  const known = new Map<unknown, A>()
  return Schema.declare([], {
    decode: () => (text, options) => {
      const found = known.get(text)
      return found !== undefined ? ParseResult.succeed(found) : ParseResult.map(decode(text, options), (value) => {
        if (known.size >= kept) known.clear()
        known.set(text, value)
        return value
      })
    },
    encode: () => encode
  })
}
