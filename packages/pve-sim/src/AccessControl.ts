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
export const allPrivileges: ReadonlyArray<string> = [
  ...["Allocate", "AllocateSpace", "AllocateTemplate", "Audit"].map((name) => `Datastore.${name}`),
  ...["Audit", "Modify", "Use"].map((name) => `Mapping.${name}`),
  ...["Allocate", "Audit"].map((name) => `Pool.${name}`),
  ...["Allocate", "Audit", "Use"].map((name) => `SDN.${name}`),
  ...["AccessNetwork", "Audit", "Console", "Incoming", "Modify", "PowerMgmt", "Syslog"].map((name) => `Sys.${name}`),
  ...["Allocate", "Audit", "Backup", "Clone", "Console", "Migrate", "PowerMgmt", "Replicate", "Snapshot"].map((name) =>
    `VM.${name}`
  ),
  ...["CDROM", "CPU", "Cloudinit", "Disk", "HWType", "Memory", "Network", "Options"].map((name) => `VM.Config.${name}`),
  ...["Audit", "FileRead", "FileSystemMgmt", "FileWrite", "Unrestricted"].map((name) => `VM.GuestAgent.${name}`),
  "VM.Snapshot.Rollback",
  "Group.Allocate",
  "Permissions.Modify",
  "Realm.Allocate",
  "Realm.AllocateUser",
  "User.Modify"
]

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

const builtInRoles: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["NoAccess", []],
  ["Administrator", allPrivileges],
  ["PVEAuditor", allPrivileges.filter((name) => name.endsWith(".Audit"))]
])

// Besides every path with an ACL entry, these are the ones that GET /access/permissions lists (platform-facts 3.3).
const listedPaths = ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"]

/** Privilege to propagate flag, as `GET /access/permissions` shows them. */
export type Privileges = ReadonlyMap<string, 0 | 1>

type World_ = Pick<World, "users" | "tokens" | "acl" | "roles">

/** Users, tokens, roles and ACL of the simulated host, and the rules that join them (platform-facts 2, 3). */
export class AccessControl {
  readonly roles: Map<string, ReadonlyArray<string>>
  readonly users: Map<string, World_["users"][number]>
  readonly #tokens: Map<string, Token>
  #acl: ReadonlyArray<AclEntry>

  constructor(world: World_, secretOf: (tokenId: string) => string) {
    this.roles = new Map([...builtInRoles, ...Object.entries(world.roles)])
    this.users = new Map(world.users.map((user) => [user.userid, user]))
    this.#acl = world.acl
    this.#tokens = new Map(world.tokens.map((token) => [
      token.tokenid,
      { privsep: token.privsep, expire: token.expire, comment: token.comment, secret: secretOf(token.tokenid) }
    ]))
  }

  get acl(): ReadonlyArray<AclEntry> {
    return this.#acl
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

  addToken(id: string, token: { readonly privsep: number; readonly expire: number; readonly secret: string }): void {
    this.#tokens.set(id, { ...token, comment: undefined })
  }

  /** Also drops the token's entries in the ACL. False: there is no such token. */
  removeToken(id: string): boolean {
    this.#acl = this.#acl.filter((entry) => entry.ugid !== id)
    return this.#tokens.delete(id)
  }

  addAcl(entry: AclEntry): void {
    this.#acl = [
      ...this.#acl.filter((other) =>
        other.path !== entry.path || other.ugid !== entry.ugid || other.roleid !== entry.roleid
      ),
      entry
    ]
  }

  removeAcl(path: string, ugid: string): void {
    this.#acl = this.#acl.filter((entry) => entry.path !== path || entry.ugid !== ugid)
  }

  /** All entries of one path, as Proxmox drops them with the object they stand for. */
  removePath(path: string): void {
    this.#acl = this.#acl.filter((entry) => entry.path !== path)
  }

  setUser(user: World_["users"][number]): void {
    this.users.set(user.userid, user)
  }

  /** The identity behind an `Authorization` value, or undefined; checked anew for every request (platform-facts 3.1). */
  authenticate(apiToken: string, nowSeconds: number): Identity | undefined {
    const at = apiToken.lastIndexOf("=")
    const id = apiToken.slice(0, at)
    const [userid, name, ...rest] = id.split("!")
    if (at < 0 || userid === undefined || name === undefined || rest.length > 0) return undefined
    const user = this.users.get(userid)
    const token = this.#tokens.get(id)
    if (user === undefined || token === undefined || user.enable !== 1) return undefined
    const live = (expire: number): boolean => expire === 0 || expire > nowSeconds
    if (!live(user.expire) || !live(token.expire) || token.secret !== apiToken.slice(at + 1)) return undefined
    return { id, user: userid, tokenName: name }
  }

  /** What `id`, a user or a full token id, effectively holds on exactly `path` (platform-facts 3.2). */
  privileges(id: string, path: string): Privileges {
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

  holds(id: string, path: string, privilege: string): boolean {
    return this.privileges(id, path).has(privilege)
  }

  /** The paths that `GET /access/permissions` goes through. */
  listed(): ReadonlyArray<string> {
    return Array.from(new Set([...listedPaths, ...this.#acl.map((entry) => entry.path)]))
  }

  #everything(): Privileges {
    return new Map(allPrivileges.map((name) => [name, 1 as const]))
  }

  #granted(type: "user" | "token", id: string, path: string): Privileges {
    // Level by level from the root; a level with an entry for this identity replaces what came from above.
    if (!path.startsWith("/")) return new Map()
    const steps = path.split("/").filter((step) => step !== "")
    let roles: ReadonlyMap<string, 0 | 1> = new Map()
    for (let depth = 0; depth <= steps.length; depth++) {
      const level = `/${steps.slice(0, depth).join("/")}`
      const final = depth === steps.length
      const here = this.#acl.filter((entry) =>
        entry.path === level && entry.type === type && entry.ugid === id && (final || entry.propagate === 1)
      )
      if (here.length > 0) roles = new Map(here.map((entry) => [entry.roleid, entry.propagate]))
    }
    if (roles.has("NoAccess")) return new Map()
    const held = new Map<string, 0 | 1>()
    for (const [roleid, propagate] of roles) {
      for (const name of this.roles.get(roleid) ?? []) {
        held.set(name, held.get(name) === 1 ? 1 : propagate)
      }
    }
    return held
  }
}
