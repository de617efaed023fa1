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

const schemaOf = (): object => {
  const schema = tightened(JSONSchema.make(HostReport))
  if (!isObject(schema)) throw new Error("the schema of reports makes no JSON Schema")
  return schema
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
  validateSchema: false,
  meta: false
}).compile<HostReport>(schemaOf())
