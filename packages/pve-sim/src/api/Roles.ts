import { Effect } from "effect"
import * as AccessFormats from "../AccessFormats.ts"
import { badParameters, died } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { all, anyone, type Endpoint } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { splitList } from "../ParameterSchema.ts"

const mayChange = all("/access", "Sys.Modify")

const list: Endpoint = {
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

const read: Endpoint = {
  method: "GET",
  path: "/access/roles/{roleid}",
  permission: anyone,
  protected: false,
  parameters: { roleid: AccessFormats.roleid },
  handle: (call) =>
    Effect.suspend(() => {
      const privs = call.machine.access.roles.get(required(call, "roleid"))
      return privs === undefined
        ? Effect.fail(died(`role '${required(call, "roleid")}' does not exist`))
        : Effect.succeed({ data: Object.fromEntries(privs.map((name) => [name, 1])) })
    })
}

const create: Endpoint = {
  method: "POST",
  path: "/access/roles",
  permission: mayChange,
  protected: true,
  parameters: { roleid: AccessFormats.roleid, privs: AccessFormats.privileges },
  handle: (call) =>
    Effect.gen(function*() {
      const roleid = required(call, "roleid")
      if (/^PVE/i.test(roleid)) {
        return yield* badParameters({
          roleid: "cannot use role ID starting with the (case-insensitive) 'PVE' namespace"
        })
      }
      if (call.machine.access.roles.has(roleid)) {
        return yield* died(`create role failed: role '${roleid}' already exists`)
      }
      call.machine.access.setRole(roleid, splitList(textOf(call, "privs")))
      return { data: null }
    })
}

const update: Endpoint = {
  method: "PUT",
  path: "/access/roles/{roleid}",
  permission: mayChange,
  protected: true,
  parameters: {
    roleid: AccessFormats.roleid,
    privs: AccessFormats.privileges,
    append: { ...Formats.flag, requires: "privs" }
  },
  handle: (call) =>
    Effect.gen(function*() {
      const roleid = required(call, "roleid")
      const { access } = call.machine
      if (access.isBuiltIn(roleid)) return yield* died(`auto-generated role '${roleid}' cannot be modified`)
      const before = access.roles.get(roleid)
      if (before === undefined) return yield* died(`update role failed: role '${roleid}' does not exist`)
      const given = splitList(textOf(call, "privs"))
      access.setRole(roleid, Array.from(new Set([...isSet(call, "append") ? before : [], ...given])))
      return { data: null }
    })
}

const remove: Endpoint = {
  method: "DELETE",
  path: "/access/roles/{roleid}",
  permission: mayChange,
  protected: true,
  parameters: { roleid: AccessFormats.roleid },
  handle: (call) =>
    Effect.gen(function*() {
      const roleid = required(call, "roleid")
      const { access } = call.machine
      if (access.isBuiltIn(roleid)) return yield* died(`auto-generated role '${roleid}' cannot be deleted`)
      if (!access.roles.has(roleid)) return yield* died(`delete role failed: role '${roleid}' does not exist`)
      access.removeRole(roleid)
      return { data: null }
    })
}

/** Roles, and the privileges in them (platform-facts 1.9, 2). */
export const endpoints: ReadonlyArray<Endpoint> = [list, read, create, update, remove]
