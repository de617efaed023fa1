import { parseUpid } from "@felhom/domain/Upid"
import { Either } from "effect"
import type { Format, Property } from "./ParameterSchema.ts"
import { propertyString } from "./PropertyFormat.ts"
import { contentType, listOf, matching, storageId } from "./ValueFormats.ts"

const vmidFormat = matching(/^[1-9][0-9]{2,8}$/, () => "value does not look like a valid VM ID")
const nodeFormat = matching(
  /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/,
  () => "value does not look like a valid node name"
)

export const configId = matching(/^[a-z][a-z0-9_-]+$/i, (value) => `invalid configuration ID '${value}'`)
export const configIdList: Format = { ...configId, list: true }
export const tagList: Format = {
  ...matching(/^[a-z0-9_][a-z0-9_\-+.]*$/i, () => "invalid characters in tag"),
  list: true
}
/** A list of anything; its entries are looked up, and not parsed. */
export const anyList: Format = { check: () => undefined, list: true }
export const vmidList: Format = { ...vmidFormat, list: true }

export const nodeList: Format = { ...nodeFormat, list: true }

export const contentList = listOf(contentType)

/** `keep-last=3,keep-daily=7`; `keep-all=1` stands alone. */
export const retention: Format = propertyString(
  {
    "keep-all": { type: "boolean", optional: true },
    ...Object.fromEntries(
      ["last", "hourly", "daily", "weekly", "monthly", "yearly"].map((bucket) => [
        `keep-${bucket}`,
        { type: "integer", optional: true, minimum: 0 } as const
      ])
    )
  },
  undefined,
  (found) =>
    found.get("keep-all") === "1" &&
      Array.from(found).some(([name, value]) => name !== "keep-all" && Number(value) > 0)
      ? "keep-all cannot be set together with other options.\n"
      : undefined
)

/** Parameters that stand in most paths. */
export const node: Property = { type: "string", format: nodeFormat }
export const vmid: Property = { type: "integer", format: vmidFormat, minimum: 100, maximum: 999_999_999 }
export const storage: Property = { type: "string", format: storageId }
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
