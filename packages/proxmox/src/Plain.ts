import { Option, Predicate, Schema } from "effect"

/**
 * What a value gives where it is written as Proxmox nearly always writes it; undefined for all else, good or bad, about which the
 * schema is asked. It never says what the schema would not say (test/Plain.test.ts). A schema looks at a number in a dozen
 * steps, and most of what a cycle reads are numbers.
 */
export type Plain<A> = (value: unknown) => A | undefined

export const number: Plain<number> = (value) => typeof value === "number" && Number.isFinite(value) ? value : undefined

export const text: Plain<string> = (value) => typeof value === "string" ? value : undefined

/** Null where there is none, as of a key that is left out. */
export const orNull = <A>(plain: Plain<A>): Plain<A | null> => (value) =>
  value === undefined || value === null ? null : plain(value)

/** 0 and 1, and false of a key that is left out. */
export const flagOrFalse: Plain<boolean> = (value) =>
  value === 1 ? true : value === 0 || value === undefined ? false : undefined

// Ids, kinds and sets are few on one host, and stay.
const rememberedAtMost = 1_000

/** What the schema made of the same text or number before: for values that are few and come again and again. */
export const remembered = <A, I>(schema: Schema.Schema<A, I>): Plain<A> => {
  let decode: ReturnType<typeof Schema.decodeUnknownOption<A, I>> | undefined
  const known = new Map<string | number, A>()
  return (value) => {
    if (typeof value !== "string" && typeof value !== "number") return undefined
    const before = known.get(value)
    if (before !== undefined) return before
    const found = Option.getOrUndefined((decode ??= Schema.decodeUnknownOption(schema))(value))
    if (found !== undefined && known.size < rememberedAtMost) known.set(value, found)
    return found
  }
}

/** A record of which each field is plain; keys that are not among them are left out. */
export const record = <A extends object>(fields: { readonly [K in keyof A]: Plain<A[K]> }): Plain<A> => {
  const keys = Object.keys(fields)
  const plains = Object.values<Plain<unknown>>(fields)
  return (value) => {
    if (!Predicate.isRecord(value)) return undefined
    const found: { [key: string]: unknown } = {}
    // By number: a pair for each field would be most of the garbage that reading it makes.
    for (let at = 0; at < keys.length; at += 1) {
      const key = keys[at] ?? ""
      const one = plains[at]?.(value[key])
      if (one === undefined) return undefined
      found[key] = one
    }
    // Each field of A has been read by what gives that field's type.
    return found as A
  }
}
