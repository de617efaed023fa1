import { Schema } from "effect"
import * as Plain from "./Plain.ts"

/** A finite number, or one as text: Proxmox gives either for one key, by endpoint and release (platform-facts 7.3). */
export const WireNumber = Schema.Union(Schema.Finite, Schema.NumberFromString.pipe(Schema.finite()))

const yes = [1, "1", true] as const
const no = [0, "0", false, "", null] as const

/** 0, 1, "0", "1", true or false. */
export const WireBoolean = Schema.transform(Schema.Literal(...yes, ...no), Schema.Boolean, {
  strict: true,
  decode: (value) => yes.some((one) => one === value),
  encode: (value) => value ? 1 as const : 0 as const
})

/** The same, and false where the key is left out. */
export const booleanOrFalse = Schema.optionalWith(WireBoolean, { default: () => false })

/** Null where the key is left out. */
export const numberOrNull = Schema.optionalWith(Schema.NullOr(WireNumber), { default: () => null })

/** Null where the key is left out. Some texts come as bare numbers (a guest named `101`). */
export const textOrNull = Schema.optionalWith(
  Schema.NullOr(Schema.Union(
    Schema.String,
    Schema.transform(Schema.Number, Schema.String, {
      strict: true,
      decode: String,
      encode: Number
    })
  )),
  { default: () => null }
)

const textSet = (separators: RegExp) =>
  Schema.transform(Schema.NullOr(Schema.String), Schema.Array(Schema.String), {
    strict: true,
    decode: (text) => [...new Set((text ?? "").split(separators).filter((part) => part !== ""))].sort(),
    encode: (parts) => parts.join(",")
  })

const orEmpty = <A, I>(set: Schema.Schema<ReadonlyArray<A>, I>) =>
  Schema.optionalWith(set, { default: (): ReadonlyArray<A> => [] })

const plainOrEmpty = <A, I>(set: Schema.Schema<ReadonlyArray<A>, I>): Plain.Plain<ReadonlyArray<A>> => {
  const plain = Plain.remembered(set)
  return (value) => (value === undefined ? [] : plain(value))
}

const contents = textSet(/[,; ]+/)
const tags = textSet(/[,; ]+/)

/** A storage's content types: a set that comes in any order (platform-facts 1.6); sorted. */
export const contentSet = orEmpty(contents)
export const plainContent: Plain.Plain<ReadonlyArray<string>> = plainOrEmpty(contents)

/** A guest's tags: a set, in the datacenter's separator (platform-facts 1.10); sorted. */
export const tagSet = orEmpty(tags)
export const plainTags: Plain.Plain<ReadonlyArray<string>> = plainOrEmpty(tags)
