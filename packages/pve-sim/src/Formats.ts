import { parsePropertyString } from "@felhom/domain/PropertyString"
import { parseUpid } from "@felhom/domain/Upid"
import { Either } from "effect"
import { check, type Format, type Property, type Schema } from "./ParameterSchema.ts"

const matching = (pattern: RegExp, said: (value: string) => string): Format => ({
  check: (value) => pattern.test(value) ? undefined : `${said(value)}\n`
})

const vmidFormat = matching(/^[1-9][0-9]{2,8}$/, () => "value does not look like a valid VM ID")
const nodeFormat = matching(
  /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/,
  () => "value does not look like a valid node name"
)
const storageFormat = matching(
  /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i,
  (value) => `storage ID '${value}' contains illegal characters`
)

export const configId = matching(/^[a-z][a-z0-9_-]+$/i, (value) => `invalid configuration ID '${value}'`)
export const configIdList: Format = { ...configId, list: true }
export const tagList: Format = {
  ...matching(/^[a-z0-9_][a-z0-9_\-+.]*$/i, () => "invalid characters in tag"),
  list: true
}
export const dnsName = matching(
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/,
  () => "value does not look like a valid DNS name"
)

/** `key=value,…` with a schema of its own. `bareKey` is the property that may stand without a key. */
export const propertyString = (properties: Schema, bareKey?: string): Format => ({
  check: (value, path) => {
    const { bare, entries } = parsePropertyString(value)
    const parameters = new Map<string, string>(entries)
    if (bare !== undefined) {
      if (bareKey === undefined) return "value without key, but schema does not define a default key\n"
      parameters.set(bareKey, bare)
    }
    const errors = Object.entries(check(properties, parameters, path).errors)
    return errors.length === 0
      ? undefined
      : `format error\n${errors.map(([name, said]) => `${name}: ${said}\n`).join("")}`
  }
})

/** A list of anything; its entries are looked up, and not parsed. */
export const anyList: Format = { check: () => undefined, list: true }
export const vmidList: Format = { ...vmidFormat, list: true }

export const nodeList: Format = { ...nodeFormat, list: true }

const contents = ["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"]
export const contentList: Format = {
  check: (value) => contents.includes(value) ? undefined : `invalid content type '${value}'\n`,
  list: true
}

/** `keep-last=3,keep-daily=7`. */
export const retention: Format = propertyString({
  "keep-all": { type: "boolean", optional: true },
  ...Object.fromEntries(
    ["last", "hourly", "daily", "weekly", "monthly", "yearly"].map((bucket) => [
      `keep-${bucket}`,
      { type: "integer", optional: true } as const
    ])
  )
})

/** Parameters that stand in most paths. */
export const node: Property = { type: "string", format: nodeFormat }
export const vmid: Property = { type: "integer", format: vmidFormat, minimum: 100, maximum: 999_999_999 }
export const storage: Property = { type: "string", format: storageFormat }
export const upid: Property = { type: "string" }
export const snapname: Property = { type: "string", format: configId, maxLength: 40 }

export const optional = (property: Property): Property => ({ ...property, optional: true })
export const flag: Property = { type: "boolean", optional: true }
export const text = (maxLength?: number): Property =>
  maxLength === undefined ? { type: "string", optional: true } : { type: "string", optional: true, maxLength }
export const integer = (minimum?: number, maximum?: number): Property => ({
  type: "integer",
  optional: true,
  ...(minimum === undefined ? {} : { minimum }),
  ...(maximum === undefined ? {} : { maximum })
})
export const choice = (...values: ReadonlyArray<string>): Property => ({ type: "string", optional: true, enum: values })

/** Whether the text is a UPID of this simulator's kind. */
export const isUpid = (value: string): boolean => Either.isRight(parseUpid(value))
