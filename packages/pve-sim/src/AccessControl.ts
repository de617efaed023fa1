import { builtInRoles } from "./BuiltInRoles.ts"
import type { AclEntry, World } from "./World.ts"

/** Who a request comes from: the owning user and the token. Every check and UPID uses `id` (platform-facts 3.1). */
export interface Identity {
  readonly id: string
  readonly user: string
  readonly tokenName: string
}

interface Token {
  readonly privsep: number
  readonly expire: number
  readonly comment: string | undefined
  secret: string
}

/** All privileges there are (platform-facts 2.1). */
export const allPrivileges: ReadonlyArray<string> = builtInRoles.get("Administrator") ?? []

/** The 16 privileges that the agent's role needs, no more and no less (platform-facts 2.2). */
export const agentPrivileges: ReadonlyArray<string> = [
  "VM.Allocate",
  "VM.Audit",
  "VM.Backup",
  "VM.Config.CPU",
  "VM.Config.Disk",
  "VM.Config.Memory",
  "VM.Config.Network",
  "VM.Config.Options",
  "VM.PowerMgmt",
  "VM.Snapshot",
  "VM.Snapshot.Rollback",
  "Datastore.Allocate",
  "Datastore.AllocateSpace",
  "Datastore.Audit",
  "Sys.Audit",
  "SDN.Use"
]

// Besides every path with an ACL entry, these are the ones that GET /access/permissions lists (platform-facts 3.3).
const listedPaths = ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"]

/** Privilege to propagate flag, as `GET /access/permissions` shows them. */
export type Privileges = ReadonlyMap<string, 0 | 1>

type Roster = Pick<World, "users" | "tokens" | "acl" | "roles" | "groups" | "pools">

export type User = Roster["users"][number]

export interface Group {
  readonly comment: string | undefined
  readonly users: ReadonlySet<string>
}

/** A pool's members lend its ACL to whoever may something on the pool (platform-facts 3.2). */
export interface Pool {
  readonly comment: string | undefined
  readonly vms: ReadonlySet<number>
  readonly storages: ReadonlySet<string>
}

// Whoever asks for paths that nobody has must not fill the memory.
const cachedAtMost = 10_000

const idsOf = (members: unknown, key: string): ReadonlyArray<string | number> =>
  Array.isArray(members)
    ? members.flatMap((one: unknown) => {
      const id = typeof one === "object" && one !== null ? new Map<string, unknown>(Object.entries(one)).get(key) : one
      return typeof id === "string" || typeof id === "number" ? [id] : []
    })
    : []

const poolOf = (given: Roster["pools"][number]): readonly [string, Pool] => [String(given["poolid"]), {
  comment: typeof given["comment"] === "string" ? given["comment"] : undefined,
  vms: new Set(idsOf(given["members"], "vmid").map(Number)),
  storages: new Set(
    idsOf(given["members"], "storage").flatMap((id) => typeof id === "string" ? [id] : [])
  )
}]

/** Users, groups, tokens, roles, pools and ACL of the simulated host, and the rules that join them (platform-facts 2, 3). */
export class AccessControl {
  readonly #roles: Map<string, ReadonlyArray<string>>
  readonly #users: Map<string, User>
  readonly #groups: Map<string, Group>
  readonly #pools: Map<string, Pool>
  readonly #tokens: Map<string, Token>
  #acl: ReadonlyArray<AclEntry>
  /** Effective privileges by identity and path, until anything here changes. */
  readonly #effective = new Map<string, Privileges>()

  constructor(world: Roster, secretOf: (tokenId: string) => string) {
    this.#roles = new Map([...builtInRoles, ...Object.entries(world.roles)])
    this.#users = new Map(world.users.map((user) => [user.userid, user]))
    this.#groups = new Map(world.groups.map(({ comment, groupid, users }) => [
      groupid,
      { comment, users: new Set(users) }
    ]))
    this.#pools = new Map(world.pools.map(poolOf))
    this.#acl = world.acl
    this.#tokens = new Map(world.tokens.map((token) => [
      token.tokenid,
      { privsep: token.privsep, expire: token.expire, comment: token.comment, secret: secretOf(token.tokenid) }
    ]))
  }

  get acl(): ReadonlyArray<AclEntry> {
    return this.#acl
  }

  get roles(): ReadonlyMap<string, ReadonlyArray<string>> {
    return this.#roles
  }

  get users(): ReadonlyMap<string, User> {
    return this.#users
  }

  get groups(): ReadonlyMap<string, Group> {
    return this.#groups
  }

  get pools(): ReadonlyMap<string, Pool> {
    return this.#pools
  }

  isBuiltIn(roleid: string): boolean {
    return builtInRoles.has(roleid)
  }

  secrets(): { readonly [tokenId: string]: string } {
    return Object.fromEntries(Array.from(this.#tokens, ([id, token]) => [id, token.secret]))
  }

  tokensOf(userid: string): ReadonlyArray<readonly [name: string, token: Omit<Token, "secret">]> {
    return Array.from(this.#tokens).flatMap(([id, token]) =>
      id.startsWith(`${userid}!`) ? [[id.slice(userid.length + 1), token] as const] : []
    )
  }

  setRole(roleid: string, privileges: ReadonlyArray<string>): void {
    this.#effective.clear()
    this.#roles.set(roleid, privileges)
  }

  /** Its entries in the ACL go with it: Proxmox ignores them from then on. */
  removeRole(roleid: string): void {
    this.#keepAcl((entry) => entry.roleid !== roleid)
    this.#roles.delete(roleid)
  }

  setGroup(groupid: string, group: Group): void {
    this.#effective.clear()
    this.#groups.set(groupid, group)
  }

  removeGroup(groupid: string): void {
    this.#keepAcl((entry) => entry.type !== "group" || entry.ugid !== groupid)
    this.#groups.delete(groupid)
  }

  setPool(poolid: string, pool: Pool): void {
    this.#effective.clear()
    this.#pools.set(poolid, pool)
  }

  removePool(poolid: string): void {
    this.removePath(`/pool/${poolid}`)
    this.#pools.delete(poolid)
  }

  addToken(
    id: string,
    token: {
      readonly privsep: number
      readonly expire: number
      readonly secret: string
      readonly comment?: string | undefined
    }
  ): void {
    this.#effective.clear()
    this.#tokens.set(id, { privsep: token.privsep, expire: token.expire, secret: token.secret, comment: token.comment })
  }

  /** Changes what is known of a token, and not its secret. */
  changeToken(id: string, change: Partial<Omit<Token, "secret">>): void {
    const token = this.#tokens.get(id)
    if (token !== undefined) this.addToken(id, { ...token, ...change })
  }

  /** Also drops the token's entries in the ACL. False: there is no such token. */
  removeToken(id: string): boolean {
    this.#keepAcl((entry) => entry.ugid !== id)
    return this.#tokens.delete(id)
  }

  addAcl(entry: AclEntry): void {
    this.#keepAcl((other) =>
      other.path !== entry.path || other.type !== entry.type || other.ugid !== entry.ugid ||
      other.roleid !== entry.roleid
    )
    this.#acl = [...this.#acl, entry]
  }

  /** One role of somebody on a path, or all of them. */
  removeAcl(path: string, ugid: string, roleid: string | undefined): void {
    this.#keepAcl((entry) =>
      entry.path !== path || entry.ugid !== ugid || (roleid !== undefined && entry.roleid !== roleid)
    )
  }

  /** All entries of one path, as Proxmox drops them with the object they stand for. */
  removePath(path: string): void {
    this.#keepAcl((entry) => entry.path !== path)
  }

  joinPool(poolid: string, vmid: number): void {
    const pool = this.#pools.get(poolid)
    if (pool !== undefined) this.setPool(poolid, { ...pool, vms: new Set([...pool.vms, vmid]) })
  }

  /** What Proxmox drops with a guest: its ACL, and its place in a pool (platform-facts 2.3). */
  removeGuest(vmid: number): void {
    this.removePath(`/vms/${vmid}`)
    for (const [poolid, pool] of this.#pools) {
      if (pool.vms.has(vmid)) {
        this.setPool(poolid, {
          ...pool,
          vms: new Set([...pool.vms].filter((one) => one !== vmid))
        })
      }
    }
  }

  setUser(user: User): void {
    this.#effective.clear()
    this.#users.set(user.userid, user)
  }

  /** Its tokens, its places in groups and its entries in the ACL go with it. */
  removeUser(userid: string): void {
    for (const [name] of this.tokensOf(userid)) this.removeToken(`${userid}!${name}`)
    this.#keepAcl((entry) => entry.ugid !== userid)
    this.leaveGroups(userid)
    this.#users.delete(userid)
  }

  leaveGroups(userid: string): void {
    for (const [groupid, group] of this.#groups) {
      this.setGroup(groupid, { ...group, users: new Set([...group.users].filter((one) => one !== userid)) })
    }
  }

  groupsOf(userid: string): ReadonlyArray<string> {
    return Array.from(this.#groups).flatMap(([groupid, { users }]) => users.has(userid) ? [groupid] : [])
  }

  /** The identity behind an `Authorization` value, or undefined; checked anew for every request (platform-facts 3.1). */
  authenticate(apiToken: string, nowSeconds: number): Identity | undefined {
    const at = apiToken.lastIndexOf("=")
    const id = apiToken.slice(0, at)
    const [userid, name, ...rest] = id.split("!")
    if (at < 0 || userid === undefined || name === undefined || rest.length > 0) return undefined
    const user = this.#users.get(userid)
    const token = this.#tokens.get(id)
    if (user === undefined || token === undefined || user.enable !== 1) return undefined
    const live = (expire: number): boolean => expire === 0 || expire > nowSeconds
    if (!live(user.expire) || !live(token.expire) || token.secret !== apiToken.slice(at + 1)) return undefined
    return { id, user: userid, tokenName: name }
  }

  /** What `id`, a user or a full token id, effectively holds on exactly `path` (platform-facts 3.2). */
  privileges(id: string, path: string): Privileges {
    const key = `${id} ${path}`
    const known = this.#effective.get(key)
    if (known !== undefined) return known
    const found = this.#worked(id, path)
    if (this.#effective.size >= cachedAtMost) this.#effective.clear()
    this.#effective.set(key, found)
    return found
  }

  /** The paths that `GET /access/permissions` goes through. */
  listed(): ReadonlyArray<string> {
    return Array.from(
      new Set([
        ...listedPaths,
        ...this.#acl.map((entry) => entry.path),
        ...Array.from(this.#pools.values()).flatMap(({ storages, vms }) => [
          ...Array.from(vms, (vmid) => `/vms/${vmid}`),
          ...Array.from(storages, (storage) => `/storage/${storage}`)
        ])
      ])
    )
  }

  #keepAcl(keep: (entry: AclEntry) => boolean): void {
    this.#effective.clear()
    this.#acl = this.#acl.filter(keep)
  }

  #worked(id: string, path: string): Privileges {
    const separator = id.indexOf("!")
    if (separator < 0) return id === "root@pam" ? this.#everything() : this.#granted("user", id, path)
    const owner = this.privileges(id.slice(0, separator), path)
    if (this.#tokens.get(id)?.privsep === 0) return owner
    const own = this.#granted("token", id, path)
    return new Map(
      Array.from(own).flatMap(([name, flag]) => {
        const owned = owner.get(name)
        return owned === undefined ? [] : [[name, flag === 1 && owned === 1 ? 1 : 0] as const]
      })
    )
  }

  #everything(): Privileges {
    return new Map(allPrivileges.map((name) => [name, 1 as const]))
  }

  /** The entries of one level that are for this identity: its own, or if it has none there, those of its groups. */
  #entriesAt(level: string, type: "user" | "token", id: string, final: boolean): ReadonlyArray<AclEntry> {
    const here = this.#acl.filter((entry) => entry.path === level && (final || entry.propagate === 1))
    const own = here.filter((entry) => entry.type === type && entry.ugid === id)
    return own.length > 0 || type === "token"
      ? own
      : here.filter((entry) => entry.type === "group" && this.#groups.get(entry.ugid)?.users.has(id) === true)
  }

  /** Level by level from the root; a level with an entry for this identity replaces what came from above. */
  #rolesOf(type: "user" | "token", id: string, path: string): ReadonlyMap<string, 0 | 1> {
    const steps = path.split("/").filter((step) => step !== "")
    let roles: ReadonlyMap<string, 0 | 1> = new Map()
    for (let depth = 0; depth <= steps.length; depth++) {
      const here = this.#entriesAt(`/${steps.slice(0, depth).join("/")}`, type, id, depth === steps.length)
      if (here.length > 0) roles = new Map(here.map((entry) => [entry.roleid, entry.propagate]))
    }
    return roles
  }

  /** Roles that come with a pool's membership; they never go on below. */
  #poolRoles(type: "user" | "token", id: string, path: string): ReadonlySet<string> {
    const [, kind, name = ""] = /^\/(vms|storage)\/([^/]+)$/.exec(path) ?? []
    if (kind === undefined) return new Set()
    return new Set(
      Array.from(this.#pools).flatMap(([poolid, { storages, vms }]) =>
        (kind === "vms" ? vms.has(Number(name)) : storages.has(name))
          ? [...this.#rolesOf(type, id, `/pool/${poolid}`).keys()]
          : []
      )
    )
  }

  #granted(type: "user" | "token", id: string, path: string): Privileges {
    if (!path.startsWith("/")) return new Map()
    const roles = new Map(this.#rolesOf(type, id, path))
    const fromPools = this.#poolRoles(type, id, path)
    if (roles.has("NoAccess") || fromPools.has("NoAccess")) return new Map()
    for (const roleid of fromPools) if (!roles.has(roleid)) roles.set(roleid, 0)
    const held = new Map<string, 0 | 1>()
    for (const [roleid, propagate] of roles) {
      for (const name of this.#roles.get(roleid) ?? []) {
        held.set(name, held.get(name) === 1 ? 1 : propagate)
      }
    }
    return held
  }
}
