import { HostReport } from "@felhom/domain/HostReport"
import { Ajv } from "ajv"
import { JSONSchema, Predicate } from "effect"

// A report is checked twice at the most. The compiled validator takes a twentieth of the time that the schema's own decoder
// takes, and decides nearly always. What it does not accept goes to the decoder, which has the last word and says what is wrong.
// So the validator may be stricter than the schema (it does not know that a storage's id may have capitals), and must never be
// laxer.

const isObject = (value: unknown): value is { readonly [key: string]: unknown } => Predicate.isRecord(value)

/**
 * What JSON Schema says less strictly than the schema it was made from: a whole number is one that JavaScript can hold exactly.
 * Keys that this version does not know are no mistake.
 */
const tightened = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(tightened)
  if (!isObject(node)) return node
  const inner = Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => !(key === "additionalProperties" && value === false))
      .map(([key, value]) => [key, tightened(value)])
  )
  if (inner["type"] !== "integer") return inner
  const least = typeof inner["minimum"] === "number" ? inner["minimum"] : Number.MIN_SAFE_INTEGER
  const most = typeof inner["maximum"] === "number" ? inner["maximum"] : Number.MAX_SAFE_INTEGER
  return { ...inner, minimum: least, maximum: most }
}

/**
 * The same with each object's schema by itself and referred to: it becomes a function of its own. All in one the function is
 * too long for V8 to optimise, and takes ten times as long.
 */
const divided = (root: { readonly [key: string]: unknown }): object => {
  const names = new Map<string, string>()
  const definitions: { [name: string]: unknown } = {}
  const inside = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(inside)
    if (!isObject(node)) return node
    const inner = Object.fromEntries(
      // An id within would be where references begin.
      Object.entries(node).filter(([key]) => key !== "$id").map(([key, value]) => [key, inside(value)])
    )
    if (node["type"] !== "object") return inner
    const text = JSON.stringify(inner)
    const name = names.get(text) ?? `object${names.size}`
    names.set(text, name)
    definitions[name] = inner
    return { $ref: `#/definitions/${name}` }
  }
  const parts = Object.fromEntries(Object.entries(root).map(([key, value]) => [key, inside(value)]))
  return { ...parts, definitions }
}

const schemaOf = (): object => {
  const schema = tightened(JSONSchema.make(HostReport))
  if (!isObject(schema)) throw new Error("the schema of reports makes no JSON Schema")
  return divided(schema)
}

/**
 * Whether a parsed body is certainly a report. False means only that the decoder has to look.
 */
export const isCertainlyReport: (json: unknown) => json is HostReport = new Ajv({
  // Lengths and patterns as JavaScript counts and reads them, which is how the schema does.
  unicode: false,
  unicodeRegExp: false,
  messages: false,
  // It calls `unicode` deprecated; what would take its place counts otherwise.
  logger: false,
  strict: false,
  inlineRefs: false,
  validateSchema: false,
  meta: false
}).compile<HostReport>(schemaOf())
