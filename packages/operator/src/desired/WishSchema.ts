import { JSONSchema } from "effect"
import { WishFields } from "./WishFile.ts"

const prefix = "#/$defs/"

/** What a library says of a type by itself, where nobody said anything: a pattern or a range that stands there anyway. */
const isNoise = (key: string, value: unknown): boolean =>
  (key === "title" || key === "description") && typeof value === "string" &&
  /^(?:int|an integer|(?:between|minItems|maxItems|maxLength|minLength)\(.*\)|a (?:string|number) .*)$/.test(value)

/** In draft 7 what stands beside a reference counts for nothing, and a range stands beside it: so each one is put in place. */
const inPlace = (value: unknown, defs: { readonly [name: string]: unknown }): unknown => {
  if (Array.isArray(value)) return value.map((one) => inPlace(one, defs))
  if (typeof value !== "object" || value === null) return value
  const reference = "$ref" in value && typeof value.$ref === "string" ? value.$ref : undefined
  const named = reference?.startsWith(prefix) === true ? defs[reference.slice(prefix.length)] : undefined
  const whole = { ...(typeof named === "object" ? named : {}), ...value }
  return Object.fromEntries(
    Object.entries(whole).flatMap(([key, inner]: [string, unknown]) =>
      key === "$ref" || isNoise(key, inner) ? [] : [[key, inPlace(inner, defs)]]
    )
  )
}

const { $defs = {}, ...schema } = JSONSchema.make(WishFields)

const placed = inPlace(schema, $defs)

/** For editors: what `felhom schema` prints, made from what reads the files. */
export const wishFileJsonSchema: object = {
  ...(typeof placed === "object" ? placed : {}),
  title: "What the guests of felhom hosts should be",
  oneOf: [{ required: ["host"] }, { required: ["hosts"] }]
}
