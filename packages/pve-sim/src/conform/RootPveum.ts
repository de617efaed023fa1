import type { ConsoleChange } from "../ConsoleChange.ts"
import { type Options, options, type Understood, words } from "./RootOptions.ts"

const role = (verb: string, roleid: string, given: Options): Understood => {
  if (verb === "delete") return [{ _tag: "role.remove", roleid }]
  // A note that leaves the privileges out: the role is in the world.
  if (!given.has("privs")) return []
  const privs = words(given.get("privs"))
  return given.get("append") === "1"
    ? [{ _tag: "role.append", roleid, privs }]
    : [{ _tag: "role.set", roleid, privs }]
}

const acl = (verb: string, path: string, given: Options): Understood => {
  const entries = (["user", "group", "token"] as const).flatMap((type) =>
    words(given.get(`${type}s`) ?? given.get(type)).flatMap((ugid) =>
      words(given.get("roles") ?? given.get("role")).map((roleid) => ({
        path,
        type,
        ugid,
        roleid,
        propagate: given.get("propagate") === "0" ? 0 : 1
      } as const))
    )
  )
  return verb === "delete" || given.get("delete") === "1"
    ? entries.map(({ path, roleid, ugid }) => ({ _tag: "acl.remove", path, ugid, roleid } as const))
    : entries.map((entry) => ({ _tag: "acl.add", entry } as const))
}

const token = (
  [verb = "", userid = "", name = "", ...rest]: ReadonlyArray<string>,
  secretOf: (token: string) => string
): Understood => {
  const given = options(rest)
  const tokenid = `${userid}!${name}`
  switch (verb) {
    case "remove":
    case "delete":
      return [{ _tag: "token.remove", tokenid }]
    case "add":
      return [{
        _tag: "token.add",
        tokenid,
        privsep: given.get("privsep") === "0" ? 0 : 1,
        expire: Number(given.get("expire") ?? "0"),
        comment: given.get("comment"),
        secret: secretOf(name)
      }]
    case "modify": {
      const [privsep, expire] = [given.get("privsep"), given.get("expire")]
      return [{
        _tag: "token.change",
        tokenid,
        ...(privsep === undefined ? {} : { privsep: privsep === "0" ? 0 : 1 }),
        ...(expire === undefined ? {} : { expire: Number(expire) })
      }]
    }
    default:
      return verb === "list" || verb === "permissions" ? [] : "unknown"
  }
}

const user = (verb: string, userid: string, given: Options): Understood => {
  if (verb === "delete") return [{ _tag: "user.remove", userid }]
  if (verb !== "add" && verb !== "modify") return verb === "list" || verb === "permissions" ? [] : "unknown"
  const [enable, expire, groups] = [given.get("enable"), given.get("expire"), given.get("groups")]
  const known = {
    ...(enable === undefined && verb === "modify" ? {} : { enable: enable === "0" ? 0 as const : 1 as const }),
    ...(expire === undefined ? {} : { expire: Number(expire) }),
    ...(given.has("comment") ? { comment: given.get("comment") ?? "" } : {}),
    ...(groups === undefined ? {} : { groups: words(groups) })
  }
  return [{ _tag: "user.set", userid, ...known }]
}

const pool = (verb: string, poolid: string, given: Options): Understood => {
  const vms = words(given.get("vms")).map(Number)
  const storages = words(given.get("storage"))
  switch (verb) {
    case "delete":
      return given.has("vms") || given.has("storage")
        ? [{ _tag: "pool.change", poolid, leave: true, vms, storages }]
        : [{ _tag: "pool.remove", poolid }]
    case "add":
    case "modify":
      return [{ _tag: "pool.change", poolid, leave: given.has("delete"), vms, storages }]
    default:
      return verb === "list" ? [] : "unknown"
  }
}

/** The old names of some verbs, in one word: `pveum aclmod`. */
const oldNames: { readonly [verb: string]: readonly [area: string, verb: string] } = Object.fromEntries(
  ["acl", "role", "user", "group"].flatMap((area) =>
    (["add", "mod", "del"] as const).map((verb) => [
      `${area}${verb}`,
      [area, { add: "add", mod: "modify", del: "delete" }[verb]] as const
    ])
  )
)

/** What `pveum` changes. */
export const pveum = (
  [first = "", ...rest]: ReadonlyArray<string>,
  secretOf: (token: string) => string
): Understood => {
  const [area, verb = "", name = "", ...more] = [...(oldNames[first] ?? [first]), ...rest]
  const given = options(more)
  switch (area) {
    case "role":
      return ["add", "modify", "delete"].includes(verb) ? role(verb, name, given) : verb === "list" ? [] : "unknown"
    case "acl":
      return verb === "list" ? [] : acl(verb, name, given)
    case "user":
      return verb === "token" ? token([name, ...more], secretOf) : user(verb, name, given)
    case "group":
      return verb === "delete"
        ? [{ _tag: "group.remove", groupid: name }]
        : verb === "list"
        ? []
        : [{ _tag: "group.add", groupid: name } satisfies ConsoleChange]
    case "pool":
      return pool(verb, name, given)
    default:
      return area === "passwd" || area === "realm" || area === "ticket" ? [] : "unknown"
  }
}
