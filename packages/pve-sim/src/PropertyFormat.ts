import { check, type Format, type Property, type Schema } from "./ParameterSchema.ts"

// What a boolean inside of a property string may be called; outside of one only `1` and `0` will do.
const booleans: { readonly [text: string]: string } = {
  1: "1",
  on: "1",
  yes: "1",
  true: "1",
  0: "0",
  off: "0",
  no: "0",
  false: "0"
}

const settled = (property: Property | undefined, value: string): string =>
  property?.type === "boolean" ? booleans[value.toLowerCase()] ?? value : value

/** The keys and values of a property string, or Proxmox's words for one that cannot be taken apart. */
export const readProperties = (
  text: string,
  properties: Schema,
  bareKey?: string
): ReadonlyMap<string, string> | string => {
  const found = new Map<string, string>()
  const twice = (key: string): string => `duplicate key in comma-separated list property: ${key}\n`
  let bareSeen = false
  for (const part of text.split(",")) {
    if (part.trim() === "") continue
    const [, key, value] = /^([^=]+)=(.+)$/.exec(part) ?? []
    if (key !== undefined && value !== undefined) {
      if (found.has(key)) return twice(key)
      found.set(key, settled(properties[key], value))
    } else if (part.includes("=")) {
      return "missing key in comma-separated list property\n"
    } else {
      if (bareKey === undefined) return "value without key, but schema does not define a default key\n"
      if (bareSeen || found.has(bareKey)) return twice(bareKey)
      bareSeen = true
      found.set(bareKey, settled(properties[bareKey], part))
    }
  }
  return found
}

/**
 * `key=value,…` with a schema of its own. `bareKey` is the property that may stand without a key; `trouble` is what the format
 * has against the values together.
 */
export const propertyString = (
  properties: Schema,
  bareKey?: string,
  trouble?: (found: ReadonlyMap<string, string>) => string | undefined
): Format => ({
  check: (value, path) => {
    const found = readProperties(value, properties, bareKey)
    if (typeof found === "string") return found
    const errors = Object.entries(check(properties, found, path).errors)
    return errors.length === 0
      ? trouble?.(found)
      : `format error\n${errors.map(([name, said]) => `${name}: ${said}\n`).join("")}`
  }
})
