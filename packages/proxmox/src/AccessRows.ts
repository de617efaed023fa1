import { Schema } from "effect"
import { booleanOrFalse, numberOrNull, textOrNull, WireBoolean } from "./Wire.ts"

const privilegeSet = Schema.transform(Schema.NullOr(Schema.String), Schema.Array(Schema.String), {
  strict: true,
  decode: (text) => (text ?? "").split(",").filter((privilege) => privilege !== "").sort(),
  encode: (privileges) => privileges.join(",")
})

/**
 * A role: its privileges, sorted. `special` roles come with Proxmox VE and can't be changed.
 *
 * @see platform-facts 1.9
 */
export const RoleRow = Schema.Struct({
  roleid: Schema.String,
  privs: Schema.optionalWith(privilegeSet, { default: (): ReadonlyArray<string> => [] }),
  special: booleanOrFalse
})
export type RoleRow = typeof RoleRow.Type

/**
 * An entry of the access control list. `ugid` is a user, a group or a full token id, as `type` says.
 *
 * @see platform-facts 1.9
 */
export const AclRow = Schema.Struct({
  path: Schema.String,
  type: Schema.Literal("user", "group", "token"),
  ugid: Schema.String,
  roleid: Schema.String,
  propagate: booleanOrFalse
})
export type AclRow = typeof AclRow.Type

/**
 * A token's own record. `expire` in seconds since the epoch, 0 for never.
 *
 * @see platform-facts 1.9
 */
export const TokenRecord = Schema.Struct({
  privsep: Schema.optionalWith(WireBoolean, { default: () => true }),
  expire: numberOrNull,
  comment: textOrNull
})
export type TokenRecord = typeof TokenRecord.Type
