import { allPrivileges } from "./AccessControl.ts"
import type { Format, Property } from "./ParameterSchema.ts"
import { poolName } from "./ValueFormats.ts"

const listOf = (format: Format): Format => ({ ...format, list: true })

const named = (what: "group" | "role"): Format => ({
  check: (value) =>
    /^[A-Za-z0-9.\-_]+$/.test(value) ? undefined : `${what} name '${value}' contains invalid characters\n`
})

const userName = /^[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+$/

const userFormat: Format = {
  check: (value) =>
    value.length < 3
      ? `user name '${value}' is too short\n`
      : value.length > 64
      ? `user name '${value}' is too long (${value.length} > 64)\n`
      : userName.test(value)
      ? undefined
      : `value '${value}' does not look like a valid user name\n`
}

const tokenFormat: Format = {
  check: (value) =>
    /^[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+$/.test(value)
      ? undefined
      : `value '${value}' does not look like a valid token ID\n`
}

const privilegeFormat: Format = {
  check: (value) => allPrivileges.includes(value) ? undefined : `invalid privilege '${value}'\n`
}

const emailFormat: Format = {
  check: (value) =>
    /^[\w+~-]+(?:\.[\w+~-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/.test(value)
      ? undefined
      : "value does not look like a valid email address\n"
}

const maybe = (format: Format): Property => ({ type: "string", optional: true, format })

export const userid: Property = { type: "string", maxLength: 64, format: userFormat }
export const groupid: Property = { type: "string", format: named("group") }
export const roleid: Property = { type: "string", format: named("role") }
export const poolid: Property = { type: "string", format: poolName }
/** The part of a token's id behind the `!`. */
export const tokenName: Property = { type: "string", pattern: /^[A-Za-z][A-Za-z0-9.\-_]+$/ }

export const users = maybe(listOf(userFormat))
export const groups = maybe(listOf(named("group")))
export const tokens = maybe(listOf(tokenFormat))
export const roles: Property = { type: "string", format: listOf(named("role")) }
export const privileges = maybe(listOf(privilegeFormat))
export const email: Property = { ...maybe(emailFormat), maxLength: 254 }
