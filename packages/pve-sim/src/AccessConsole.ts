import { Effect } from "effect"
import { type ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import type { Machine } from "./Machine.ts"

/** The changes that `pveum` makes. */
export type AccessChange = Extract<
  ConsoleChange,
  { readonly _tag: `${"role" | "user" | "group" | "pool" | "acl" | "token"}.${string}` }
>

type Change<Tag extends AccessChange["_tag"]> = Extract<AccessChange, { readonly _tag: Tag }>

const setUser = ({ access }: Machine, change: Change<"user.set">): void => {
  const { comment, enable, expire, groups, userid } = change
  access.setUser({
    ...(access.users.get(userid) ?? { userid, enable: 1, expire: 0, "realm-type": userid.split("@")[1] ?? "pve" }),
    ...(enable === undefined ? {} : { enable }),
    ...(expire === undefined ? {} : { expire }),
    ...(comment === undefined ? {} : { comment })
  })
  if (groups === undefined) return
  access.leaveGroups(userid)
  for (const groupid of groups) {
    const group = access.groups.get(groupid)
    access.setGroup(groupid, { comment: group?.comment, users: new Set([...group?.users ?? [], userid]) })
  }
}

const changePool = ({ access }: Machine, { leave, poolid, storages, vms }: Change<"pool.change">): void => {
  const before = access.pools.get(poolid)
  const changed = <A>(old: ReadonlySet<A> | undefined, named: ReadonlyArray<A>): ReadonlySet<A> =>
    new Set(leave ? [...old ?? []].filter((one) => !named.includes(one)) : [...old ?? [], ...named])
  access.setPool(poolid, {
    comment: before?.comment,
    vms: changed(before?.vms, vms),
    storages: changed(before?.storages, storages)
  })
}

/** What root did to users, tokens, groups, roles, pools and the ACL. */
export const apply = (machine: Machine, change: AccessChange): Effect.Effect<void, ConsoleRefused> =>
  Effect.gen(function*() {
    const { access } = machine
    switch (change._tag) {
      case "role.append":
        return access.setRole(
          change.roleid,
          Array.from(new Set([...access.roles.get(change.roleid) ?? [], ...change.privs]))
        )
      case "role.set":
        return access.setRole(change.roleid, change.privs)
      case "role.remove":
        return access.removeRole(change.roleid)
      case "user.set":
        return setUser(machine, change)
      case "user.remove":
        return access.removeUser(change.userid)
      case "group.add":
        return access.setGroup(
          change.groupid,
          access.groups.get(change.groupid) ?? { comment: undefined, users: new Set() }
        )
      case "group.remove":
        return access.removeGroup(change.groupid)
      case "pool.change":
        return changePool(machine, change)
      case "pool.remove":
        return access.removePool(change.poolid)
      case "acl.add":
        return access.addAcl(change.entry)
      case "acl.remove":
        return access.removeAcl(change.path, change.ugid, change.roleid)
      case "token.add": {
        const userid = change.tokenid.split("!")[0] ?? ""
        if (!access.users.has(userid)) return yield* new ConsoleRefused({ reason: "no-such-user", what: userid })
        return access.addToken(change.tokenid, change)
      }
      case "token.change":
        return access.changeToken(change.tokenid, {
          ...(change.privsep === undefined ? {} : { privsep: change.privsep }),
          ...(change.expire === undefined ? {} : { expire: change.expire })
        })
      case "token.remove":
        return access.removeToken(change.tokenid)
          ? undefined
          : yield* new ConsoleRefused({ reason: "no-such-token", what: change.tokenid })
    }
  })
