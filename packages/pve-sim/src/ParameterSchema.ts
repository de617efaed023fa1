import type { Parameter, Parameters } from "./Parameters.ts"

/** A named format: gives Proxmox's words when the value is not of it (they end in a newline, as `die` texts do). */
export interface Format {
  readonly check: (value: string, path: string) => string | undefined
  /** `…-list`: comma, semicolon, space or NUL separate (platform-facts 1.0). */
  readonly list?: boolean
}

/** One parameter in the terms of Proxmox's JSONSchema. Required unless `optional`. */
export interface Property {
  readonly type: "string" | "integer" | "number" | "boolean"
  readonly optional?: boolean
  readonly format?: Format
  readonly pattern?: RegExp
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly enum?: ReadonlyArray<string>
  /** Another parameter that must come with this one. */
  readonly requires?: string
}

export interface Schema {
  readonly [name: string]: Property
}

/** Parameters after the check: text, or undefined for a field that came without a value. Lists are joined by commas. */
export type Checked = ReadonlyMap<string, string | undefined>

export type Errors = { readonly [parameter: string]: string }

/** `a,b;c d` taken apart as Proxmox does. */
export const splitList = (text: string | undefined): ReadonlyArray<string> =>
  // oxlint-disable-next-line no-control-regex -- NUL is one of the separators
  (text ?? "").split(/[,;\s\0]+/).filter((entry) => entry !== "")

const isInteger = (value: string): boolean => /^[+-]?\d+$/.test(value)
const isNumber = (value: string): boolean => /^[+-]?(?=\d|\.\d)\d*(?:\.\d*)?(?:[Ee][+-]?\d+)?$/.test(value)

const typeError = (property: Property, value: Exclude<Parameter, undefined>): string | undefined => {
  const failed = (got: string): string => `type check ('${property.type}') failed - got ${got}`
  if (typeof value === "object") {
    if ("boolean" in value) return property.type === "boolean" ? undefined : failed("JSON::PP::Boolean")
    if ("wrong" in value) return failed(value.wrong)
    return property.format?.list === true ? undefined : failed("ARRAY")
  }
  const fits = property.type === "string" ||
    (property.type === "boolean" && (value === "0" || value === "1")) ||
    (property.type === "integer" && isInteger(value)) ||
    (property.type === "number" && isNumber(value))
  return fits ? undefined : failed(`'${value}'`)
}

const textOf = (value: Exclude<Parameter, undefined>): string =>
  typeof value === "string" ? value : "boolean" in value ? value.boolean : "wrong" in value ? "" : value.join(",")

const formatError = (format: Format, value: string, path: string): string | undefined => {
  for (const entry of format.list === true ? splitList(value) : [value]) {
    const said = format.check(entry, path)
    if (said !== undefined) return `invalid format - ${said}`
  }
  return undefined
}

const valueError = (property: Property, value: string, path: string): string | undefined => {
  const format = property.format === undefined ? undefined : formatError(property.format, value, path)
  if (format !== undefined) return format
  if (property.pattern?.test(value) === false) return "value does not match the regex pattern"
  const length = Array.from(value).length
  if (property.maxLength !== undefined && length > property.maxLength) {
    return `value may only be ${property.maxLength} characters long`
  }
  if (property.minLength !== undefined && length < property.minLength) {
    return `value must be at least ${property.minLength} characters long`
  }
  if (isNumber(value)) {
    if (property.maximum !== undefined && Number(value) > property.maximum) {
      return `value must have a maximum value of ${property.maximum}`
    }
    if (property.minimum !== undefined && Number(value) < property.minimum) {
      return `value must have a minimum value of ${property.minimum}`
    }
  }
  return property.enum === undefined || property.enum.includes(value)
    ? undefined
    : `value '${value}' does not have a value in the enumeration '${property.enum.join(", ")}'`
}

/** Checks parameters as Proxmox's JSONSchema does, with its texts; `path` prefixes the names (`net0.bridge`). */
export const check = (
  schema: Schema,
  parameters: Parameters,
  path = ""
): { readonly checked: Checked; readonly errors: Errors } => {
  const errors: { [name: string]: string } = {}
  const checked = new Map<string, string | undefined>()
  const at = (name: string): string => path === "" ? name : `${path}.${name}`
  for (const [name, property] of Object.entries(schema)) {
    const value = parameters.get(name)
    if (value === undefined) {
      if (property.optional !== true) errors[at(name)] = "property is missing and it is not optional"
      else if (parameters.has(name)) checked.set(name, undefined)
      continue
    }
    const text = textOf(value)
    const wrong = typeError(property, value) ?? valueError(property, text, at(name))
    if (wrong !== undefined) errors[at(name)] = wrong
    else checked.set(name, text)
  }
  for (const name of parameters.keys()) {
    const requires = schema[name]?.requires
    if (!(name in schema)) {
      errors[at(name)] = "property is not defined in schema and the schema does not allow additional properties"
    } else if (requires !== undefined && parameters.get(requires) === undefined) {
      errors[at(requires)] = `missing property required by '${at(name)}'`
    }
  }
  return { checked, errors }
}
