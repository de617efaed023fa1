import { Effect } from "effect"
import type { User } from "../AccessControl.ts"
import * as AccessFormats from "../AccessFormats.ts"
import { ApiFailure, died } from "../ApiFailure.ts"
import { isSet, numberOf, required, textOf } from "../CallParameters.ts"
import { anyone, both, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Schema, splitList } from "../ParameterSchema.ts"
import { onRealm, onUser } from "../UserPermissions.ts"

const texts = ["firstname", "lastname", "email", "comment", "keys"] as const

const defined = (row: { readonly [key: string]: Json }): { readonly [key: string]: Json } =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))

const list: Endpoint = {
  method: "GET",
  path: "/access/users",
  permission: anyone,
  protected: true,
  parameters: { enabled: Formats.flag, full: Formats.flag },
  handle: (call) =>
    Effect.sync(() => {
      const { access } = call.machine
      const sees = (path: string): boolean => may(call, path, "Sys.Audit") || may(call, path, "User.Modify")
      const all = sees("/access/groups")
      const enabled = textOf(call, "enabled")
      const full = (userid: string): { readonly [key: string]: Json } => {
        const tokens = access.tokensOf(userid)
        return {
          groups: access.groupsOf(userid).join(","),
          tokens: tokens.length === 0
            ? undefined
            : tokens.map(([tokenid, { comment, expire, privsep }]) => defined({ tokenid, expire, privsep, comment }))
        }
      }
      return {
        data: Array.from(access.users.values())
          .filter(({ enable, userid }) =>
            (all || userid === call.identity.id ||
              access.groupsOf(userid).some((groupid) => sees(`/access/groups/${groupid}`))) &&
            (enabled === undefined || String(enable) === enabled)
          )
          .map((one) => defined({ ...one, ...(isSet(call, "full") ? full(one.userid) : {}) }))
      }
    })
}

const read: Endpoint = {
  method: "GET",
  path: "/access/users/{userid}",
  permission: onUser(["User.Modify", "Sys.Audit"]),
  protected: false,
  parameters: { userid: AccessFormats.userid },
  handle: (call) =>
    Effect.suspend(() => {
      const userid = required(call, "userid")
      const { access } = call.machine
      const found = access.users.get(userid)
      if (found === undefined) return Effect.fail(died(`no such user ('${userid}')`))
      const tokens = access.tokensOf(userid)
      return Effect.succeed({
        data: defined({
          enable: found.enable,
          expire: found.expire,
          ...Object.fromEntries(texts.map((name) => [name, found[name]])),
          groups: access.groupsOf(userid),
          tokens: tokens.length === 0 ? undefined : Object.fromEntries(
            tokens.map(([name, { comment, expire, privsep }]) => [name, { expire, privsep, comment }])
          )
        })
      })
    })
}

const properties: Schema = {
  userid: AccessFormats.userid,
  enable: Formats.flag,
  expire: Formats.integer(0),
  firstname: Formats.text(1024),
  lastname: Formats.text(1024),
  email: AccessFormats.email,
  comment: Formats.text(2048),
  keys: { type: "string", optional: true, pattern: /^[0-9a-zA-Z!=]{0,4096}$/ },
  groups: AccessFormats.groups
}

/** A user as it is with the parameters of a call in it. */
const changed = (call: Call, before: User): User => {
  const given = Object.fromEntries(
    texts.flatMap((name) => {
      const text = textOf(call, name)
      return text === undefined ? [] : [[name, text]]
    })
  )
  return {
    ...before,
    ...given,
    enable: numberOf(call, "enable", before.enable),
    expire: numberOf(call, "expire", before.expire)
  }
}

const join = (call: Call, prefix: string): Effect.Effect<void, ApiFailure> =>
  Effect.suspend(() => {
    const { access } = call.machine
    const userid = required(call, "userid")
    const named = splitList(textOf(call, "groups"))
    const unknown = named.find((groupid) => !access.groups.has(groupid))
    if (unknown !== undefined) return Effect.fail(died(`${prefix}: no such group '${unknown}'`))
    for (const groupid of named) {
      const group = access.groups.get(groupid)
      if (group !== undefined) access.setGroup(groupid, { ...group, users: new Set([...group.users, userid]) })
    }
    return Effect.void
  })

const create: Endpoint = {
  method: "POST",
  path: "/access/users",
  permission: both(onRealm, onUser(["User.Modify"], "create")),
  protected: true,
  parameters: { ...properties, password: { type: "string", optional: true, minLength: 8, maxLength: 64 } },
  handle: (call) =>
    Effect.gen(function*() {
      const userid = required(call, "userid")
      const { access } = call.machine
      if (access.users.has(userid)) return yield* died(`create user failed: user '${userid}' already exists`)
      if (textOf(call, "password") !== undefined) {
        return yield* new ApiFailure({
          status: 501,
          message: "pve-sim does not simulate passwords; nobody can log in to it but with a token"
        })
      }
      yield* join(call, "create user failed")
      const realm = userid.replace(/^.*@/, "")
      access.setUser(
        changed(call, {
          userid,
          enable: 1,
          expire: 0,
          ...(realm === "pve" || realm === "pam" ? { "realm-type": realm } : {})
        })
      )
      return { data: null }
    })
}

const update: Endpoint = {
  method: "PUT",
  path: "/access/users/{userid}",
  permission: onUser(["User.Modify"], "update"),
  protected: true,
  parameters: { ...properties, append: { ...Formats.flag, requires: "groups" } },
  handle: (call) =>
    Effect.gen(function*() {
      const userid = required(call, "userid")
      const { access } = call.machine
      const before = access.users.get(userid)
      if (before === undefined) return yield* died(`update user failed: no such user ('${userid}')`)
      const named = splitList(textOf(call, "groups"))
      const unknown = named.find((groupid) => !access.groups.has(groupid))
      if (unknown !== undefined) return yield* died(`update user failed: no such group '${unknown}'`)
      if (textOf(call, "groups") !== undefined && !isSet(call, "append")) access.leaveGroups(userid)
      yield* join(call, "update user failed")
      access.setUser(changed(call, before))
      return { data: null }
    })
}

const remove: Endpoint = {
  method: "DELETE",
  path: "/access/users/{userid}",
  permission: both(onRealm, onUser(["User.Modify"])),
  protected: true,
  parameters: { userid: AccessFormats.userid },
  handle: (call) =>
    Effect.gen(function*() {
      const userid = required(call, "userid")
      call.machine.access.removeUser(userid)
      // root@pam can't be missed: it is there again as soon as the file is read.
      if (userid === "root@pam") call.machine.access.setUser({ userid, enable: 1, expire: 0, "realm-type": "pam" })
      return { data: null }
    })
}

/** Users (platform-facts 1.9). */
export const endpoints: ReadonlyArray<Endpoint> = [list, read, create, update, remove]
