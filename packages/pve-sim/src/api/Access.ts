import { Effect } from "effect"
import { died, forbidden } from "../ApiFailure.ts"
import { required, textOf } from "../CallParameters.ts"
import { anyOf, anyone, type Call, type Endpoint, type Json, may, missing, type Permission } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { splitList } from "../ParameterSchema.ts"

const user = { type: "string", maxLength: 64 } as const

const seesUsers = anyOf("/access/groups", "User.Modify", "Sys.Audit")

const permissions: Endpoint = {
  method: "GET",
  path: "/access/permissions",
  permission: anyone,
  protected: false,
  parameters: { userid: Formats.optional(user), path: Formats.text() },
  handle: (call) =>
    Effect.gen(function*() {
      const { access } = call.machine
      const id = textOf(call, "userid") ?? call.identity.id
      if (id !== call.identity.id) {
        const refused = missing(call.machine, call.identity, "/access", ["Sys.Audit"])
        if (refused !== undefined) return yield* refused
      }
      const held = (path: string): Json => Object.fromEntries(access.privileges(id, path))
      const path = textOf(call, "path")
      // The path is answered for as it was written, held or not (platform-facts 11, item 8).
      if (path !== undefined) return { data: { [path]: held(path) } }
      return {
        data: Object.fromEntries(
          access.listed().filter((one) => access.privileges(id, one).size > 0).map((one) => [one, held(one)])
        )
      }
    })
}

/** What it takes to change the ACL of a path (platform-facts 1.9). */
const modifyPrivileges = (path: string): ReadonlyArray<string> => {
  const kind = /^\/(storage|vms|pool)\/./.exec(path)?.[1]
  if (kind === "storage") return ["Datastore.Allocate", "Permissions.Modify"]
  if (kind === "vms") return ["VM.Allocate", "Permissions.Modify"]
  if (kind === "pool") return ["Pool.Allocate", "Permissions.Modify"]
  return ["Permissions.Modify"]
}

const acl: Endpoint = {
  method: "GET",
  path: "/access/acl",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: (call) =>
    Effect.sync(() => {
      const all = may(call, "/access", "Sys.Audit")
      const mayModify = (path: string): boolean => modifyPrivileges(path).some((name) => may(call, path, name))
      return {
        data: call.machine.access.acl.filter((entry) => all || mayModify(entry.path)).map((entry) => ({ ...entry }))
      }
    })
}

const roles: Endpoint = {
  method: "GET",
  path: "/access/roles",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: (call) =>
    Effect.sync(() => ({
      data: Array.from(call.machine.access.roles, ([roleid, privs]) => ({
        roleid,
        privs: privs.toSorted().join(","),
        special: call.machine.access.isBuiltIn(roleid) ? 1 : 0
      }))
    }))
}

const role: Endpoint = {
  method: "GET",
  path: "/access/roles/{roleid}",
  permission: anyone,
  protected: false,
  parameters: { roleid: { type: "string", format: Formats.configId } },
  handle: (call) =>
    Effect.suspend(() => {
      const privs = call.machine.access.roles.get(required(call, "roleid"))
      return privs === undefined
        ? Effect.fail(died(`role '${required(call, "roleid")}' does not exist`))
        : Effect.succeed({ data: Object.fromEntries(privs.map((name) => [name, 1])) })
    })
}

const defined = (row: { readonly [key: string]: Json }): { readonly [key: string]: Json } =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))

const users: Endpoint = {
  method: "GET",
  path: "/access/users",
  permission: anyone,
  protected: true,
  parameters: { enabled: Formats.flag, full: Formats.flag },
  handle: (call) =>
    Effect.sync(() => {
      const all = may(call, "/access/groups", "Sys.Audit") || may(call, "/access/groups", "User.Modify")
      return {
        data: Array.from(call.machine.access.users.values())
          .filter((one) =>
            (all || one.userid === call.identity.id) &&
            String(one.enable) === (textOf(call, "enabled") ?? String(one.enable))
          )
          .map((one) => defined({ ...one }))
      }
    })
}

const selfOr = (other: Permission): Permission => ({ kind: "either", of: [{ kind: "self" }, other] })

const oneUser: Endpoint = {
  method: "GET",
  path: "/access/users/{userid}",
  permission: selfOr(seesUsers),
  protected: false,
  parameters: { userid: user },
  handle: (call) =>
    Effect.suspend(() => {
      const userid = required(call, "userid")
      const found = call.machine.access.users.get(userid)
      if (found === undefined) return Effect.fail(died(`no such user ('${userid}')`))
      const tokens = call.machine.access.tokensOf(userid)
      return Effect.succeed({
        data: defined({
          enable: found.enable,
          expire: found.expire,
          email: found.email,
          comment: found.comment,
          groups: [],
          tokens: tokens.length === 0 ? undefined : Object.fromEntries(tokens.map(([name, token]) => [name, {
            expire: token.expire,
            privsep: token.privsep,
            comment: token.comment
          }]))
        })
      })
    })
}

// A token is not its user: without User.Modify it cannot even read its own record (platform-facts 1.9).
const tokenPermission = selfOr(anyOf("/access/groups", "User.Modify"))

const tokenRow = (call: Call, name: string): { readonly [key: string]: Json } | undefined => {
  const found = call.machine.access.tokensOf(required(call, "userid")).find(([one]) => one === name)?.[1]
  return found === undefined
    ? undefined
    : { expire: found.expire, privsep: found.privsep, comment: found.comment }
}

const tokens: Endpoint = {
  method: "GET",
  path: "/access/users/{userid}/token",
  permission: tokenPermission,
  protected: false,
  parameters: { userid: user },
  handle: (call) =>
    Effect.sync(() => ({
      data: call.machine.access.tokensOf(required(call, "userid"))
        .map(([tokenid]) => ({ tokenid, ...tokenRow(call, tokenid) }))
    }))
}

const token: Endpoint = {
  method: "GET",
  path: "/access/users/{userid}/token/{tokenid}",
  permission: tokenPermission,
  protected: false,
  parameters: { userid: user, tokenid: { type: "string" } },
  handle: (call) =>
    Effect.suspend(() => {
      const row = tokenRow(call, required(call, "tokenid"))
      return row === undefined
        ? Effect.fail(died(`no such token '${required(call, "tokenid")}' for user '${required(call, "userid")}'`))
        : Effect.succeed({ data: row })
    })
}

const setAcl: Endpoint = {
  method: "PUT",
  path: "/access/acl",
  permission: anyone,
  protected: true,
  parameters: {
    path: { type: "string" },
    roles: { type: "string", format: Formats.anyList },
    users: { type: "string", optional: true, format: Formats.anyList },
    groups: { type: "string", optional: true, format: Formats.anyList },
    tokens: { type: "string", optional: true, format: Formats.anyList },
    propagate: Formats.flag,
    delete: Formats.flag
  },
  handle: (call) =>
    Effect.gen(function*() {
      const path = required(call, "path")
      const { access } = call.machine
      const wanted = modifyPrivileges(path)
      const allowed = wanted.find((name) => may(call, path, name))
      if (allowed === undefined) {
        return yield* missing(call.machine, call.identity, path, wanted, wanted.length > 1) ?? forbidden()
      }
      const roles = splitList(required(call, "roles"))
      for (const roleid of roles) {
        const privs = access.roles.get(roleid)
        if (privs === undefined) return yield* died(`role '${roleid}' does not exist`)
        // Without Permissions.Modify, only what the caller holds itself (platform-facts 1.9).
        const refused = may(call, path, "Permissions.Modify")
          ? undefined
          : missing(call.machine, call.identity, path, privs)
        if (refused !== undefined) return yield* refused
      }
      for (const [type, list] of [["user", "users"], ["group", "groups"], ["token", "tokens"]] as const) {
        for (const ugid of splitList(textOf(call, list))) {
          for (const roleid of roles) {
            if (textOf(call, "delete") === "1") access.removeAcl(path, ugid)
            else access.addAcl({ path, type, ugid, roleid, propagate: textOf(call, "propagate") === "0" ? 0 : 1 })
          }
        }
      }
      return { data: null }
    })
}

/** Who may do what (platform-facts 1.9, 3). */
export const endpoints: ReadonlyArray<Endpoint> = [permissions, acl, setAcl, roles, role, users, oneUser, tokens, token]
