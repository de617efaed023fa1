import { Effect } from "effect"
import * as AccessFormats from "../AccessFormats.ts"
import { type ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { anyone, type Call, type Endpoint, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { splitList } from "../ParameterSchema.ts"
import { modifyPrivileges, normalPath, onAclPath } from "../UserPermissions.ts"
import type { AclEntry } from "../World.ts"

const read: Endpoint = {
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

const name = "[A-Za-z0-9.\\-_]+"
const validPath = new RegExp(
  `^(?:/|/access|/access/(?:groups|realm)(?:/${name})?|/(?:nodes|pool|storage)(?:/${name})?|/pool(?:/${name}){2,3}` +
    `|/sdn|/sdn/(?:zones|fabrics|controllers|dns|ipams|prefix-lists|route-maps)(?:/${name})?` +
    `|/sdn/zones/${name}/${name}(?:/[1-9][0-9]{0,3})?|/vms(?:/[1-9][0-9]{2,})?|/mapping(?:/${name}){0,2})$`
)

// A parameter error within the locked part is told as the text that Perl makes of it.
const notGiven = (said: string): ApiFailure =>
  died(`ACL update failed: 400 Parameter verification failed.\nrole: ${said}`)

/** Who may change a path's ACL without Permissions.Modify may hand on only what it holds there itself. */
const handsOnTooMuch = (call: Call, path: string, roleid: string, propagate: 0 | 1): ApiFailure | undefined => {
  const held = call.machine.access.privileges(call.identity.id, path)
  if (held.has("Permissions.Modify")) return undefined
  const removes = isSet(call, "delete")
  const verb = removes ? "remove" : "add"
  const privileges = call.machine.access.roles.get(roleid) ?? []
  if (privileges.some((one) => !held.has(one))) {
    return notGiven(`Cannot ${verb} role '${roleid}' - requires 'Permissions.Modify' or superset of privileges.`)
  }
  if (propagate === 1 && !removes && privileges.some((one) => held.get(one) !== 1)) {
    return notGiven(
      `Cannot ${verb} role '${roleid}' with propagation - requires 'Permissions.Modify' or propagated superset of privileges.`
    )
  }
  // It has no privileges, so it has to be asked for by name.
  return roleid === "NoAccess" ? notGiven(`Cannot ${verb} role '${roleid}' - requires 'Permissions.Modify'`) : undefined
}

const absent = (call: Call, type: AclEntry["type"], ugid: string): string | undefined => {
  const { access } = call.machine
  if (type === "group") return access.groups.has(ugid) ? undefined : `group '${ugid}' does not exist`
  if (type === "user") return access.users.has(ugid) ? undefined : `user '${ugid}' does not exist`
  const [userid = "", token = ""] = ugid.split("!")
  if (!access.users.has(userid)) return `no such user ('${userid}')`
  return access.tokensOf(userid).some(([one]) => one === token)
    ? undefined
    : `no such token '${token}' for user '${userid}'`
}

const kinds = [["group", "groups"], ["user", "users"], ["token", "tokens"]] as const

const update: Endpoint = {
  method: "PUT",
  path: "/access/acl",
  permission: onAclPath,
  protected: true,
  parameters: {
    path: { type: "string" },
    roles: AccessFormats.roles,
    users: AccessFormats.users,
    groups: AccessFormats.groups,
    tokens: AccessFormats.tokens,
    propagate: Formats.flag,
    delete: Formats.flag
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { access } = call.machine
      if (kinds.every(([, list]) => textOf(call, list) === undefined)) {
        return yield* badParameters(
          Object.fromEntries(kinds.map(([, list]) => [list, "either 'users', 'groups' or 'tokens' is required."]))
        )
      }
      const path = normalPath(required(call, "path"))
      if (path === undefined || (!isSet(call, "delete") && !validPath.test(path))) {
        return yield* badParameters({ path: `invalid ACL path '${required(call, "path")}'` })
      }
      const propagate = textOf(call, "propagate") === "0" ? 0 : 1
      const entries: Array<AclEntry> = []
      for (const roleid of splitList(required(call, "roles"))) {
        if (!access.roles.has(roleid)) return yield* died(`ACL update failed: role '${roleid}' does not exist`)
        const refused = handsOnTooMuch(call, path, roleid, propagate)
        if (refused !== undefined) return yield* refused
        for (const [type, list] of kinds) {
          for (const ugid of splitList(textOf(call, list))) {
            const missing = absent(call, type, ugid)
            if (missing !== undefined) return yield* died(`ACL update failed: ${missing}`)
            entries.push({ path, type, ugid, roleid, propagate })
          }
        }
      }
      // The file is written once, at the end.
      for (const entry of entries) {
        if (isSet(call, "delete")) access.removeAcl(path, entry.ugid, entry.roleid)
        else access.addAcl(entry)
      }
      return { data: null }
    })
}

/** Who holds which role where (platform-facts 1.9). */
export const endpoints: ReadonlyArray<Endpoint> = [read, update]
