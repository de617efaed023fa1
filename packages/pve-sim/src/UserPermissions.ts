import type { Identity } from "./AccessControl.ts"
import { type ApiFailure, died, forbidden } from "./ApiFailure.ts"
import { either, missing, type Permission } from "./Endpoint.ts"
import type { Machine } from "./Machine.ts"
import { splitList } from "./ParameterSchema.ts"

const holdsAny = (machine: Machine, identity: Identity, path: string, privileges: ReadonlyArray<string>): boolean =>
  missing(machine, identity, path, privileges, true) === undefined

/** The refusal over a user by its groups: Proxmox's `userid-group` check. */
const overUser = (
  machine: Machine,
  identity: Identity,
  asked: { readonly userid: string; readonly groups: string },
  privileges: ReadonlyArray<string>,
  groupsParameter: "create" | "update" | undefined
): ApiFailure | undefined => {
  const existing = groupsParameter !== "create"
  if (existing && !machine.access.users.has(asked.userid)) return died(`no such user ('${asked.userid}')`)
  if (holdsAny(machine, identity, "/access/groups", privileges)) return undefined
  const onGroup = (groupid: string): boolean =>
    machine.access.groups.has(groupid) && holdsAny(machine, identity, `/access/groups/${groupid}`, privileges)
  if (groupsParameter !== undefined) {
    const named = splitList(asked.groups)
    if (named.length === 0) return forbidden(`/access/groups, ${privileges.join("|")}`)
    const refused = named.find((groupid) => !onGroup(groupid))
    if (refused !== undefined) return forbidden(`/access/groups/${refused}, ${privileges.join("|")}`)
  }
  return existing && !machine.access.groupsOf(asked.userid).some(onGroup) ? forbidden() : undefined
}

/**
 * One of the privileges on `/access/groups`, or on a group that the path's `userid` belongs to. For `create` and `update` also on
 * every group in the parameter `groups`. A user that does not exist is Proxmox's 500 even before any 403.
 */
export const onUser = (privileges: ReadonlyArray<string>, groupsParameter?: "create" | "update"): Permission => ({
  kind: "by",
  refusal: (machine, identity, raw) =>
    overUser(machine, identity, { userid: raw("userid"), groups: raw("groups") }, privileges, groupsParameter)
})

/** Realm.AllocateUser on the realm of the path's `userid`. */
export const onRealm: Permission = {
  kind: "by",
  refusal: (machine, identity, raw) =>
    missing(machine, identity, `/access/realm/${raw("userid").replace(/^.*@/, "")}`, ["Realm.AllocateUser"])
}

/** The user itself, or User.Modify over it. A token is not its user (platform-facts 1.9). */
export const selfOrModify: Permission = either({ kind: "self" }, onUser(["User.Modify"]))

/** What it takes to change the ACL of a path; one of them is enough (platform-facts 1.9). */
export const modifyPrivileges = (path: string): ReadonlyArray<string> => {
  const kind = /^\/(storage|vms|pool)\/./.exec(path)?.[1]
  const own: { readonly [kind: string]: string } = {
    storage: "Datastore.Allocate",
    vms: "VM.Allocate",
    pool: "Pool.Allocate"
  }
  return kind === undefined ? ["Permissions.Modify"] : ["Permissions.Modify", own[kind] ?? ""]
}

/** A path of the ACL in its plain spelling; undefined when there can't be such a path. */
export const normalPath = (path: string): string | undefined => {
  const plain = `/${path.replaceAll(/\/+/g, "/").replace(/^\//, "").replace(/\/$/, "")}`
  return path !== "" && /^[A-Za-z0-9.\-_/]+$/.test(plain) ? plain : undefined
}

/** The right to change the ACL of the parameter `path`. A path that can't be is left for the check of the parameters. */
export const onAclPath: Permission = {
  kind: "by",
  refusal: (machine, identity, raw) => {
    const path = normalPath(raw("path"))
    return path === undefined
      ? undefined
      : missing(machine, identity, path, modifyPrivileges(path), modifyPrivileges(path).length > 1)
  }
}
