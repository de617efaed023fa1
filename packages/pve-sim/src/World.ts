import { Effect, Schema } from "effect"

const Config = Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Schema.Number) })

const WorldGuest = Schema.Struct({
  vmid: Schema.Int,
  type: Schema.Literal("lxc", "qemu"),
  status: Schema.Literal("running", "stopped"),
  lock: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
  /** The text under /etc/pve, snapshots and pending changes included; its SHA-1 is the digest (platform-facts 5.9). */
  config_file: Schema.String
})

/** A list as the API gives it here and there: names in one text, with commas. */
const Names = Schema.Union(
  Schema.Array(Schema.String),
  Schema.transform(Schema.String, Schema.Array(Schema.String), {
    strict: true,
    decode: (text) => text.split(/[\s,;]+/).filter((name) => name !== ""),
    encode: (names) => names.join(",")
  })
)

const OpenRecord = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const WorldToken = Schema.Struct({
  tokenid: Schema.String,
  privsep: Schema.optionalWith(Schema.Number, { default: () => 1 }),
  expire: Schema.optionalWith(Schema.Number, { default: () => 0 }),
  comment: Schema.optional(Schema.String)
})

/** One entry of the ACL as `GET /access/acl` gives it (platform-facts 1.9). */
export const AclEntry = Schema.Struct({
  path: Schema.String,
  type: Schema.Literal("user", "group", "token"),
  ugid: Schema.String,
  roleid: Schema.String,
  propagate: Schema.Literal(0, 1)
})
export type AclEntry = typeof AclEntry.Type

/** Another node of the host's cluster: only its name is known here, and whether it answers. */
export const WorldPeer = Schema.Struct({
  name: Schema.String,
  ip: Schema.String,
  online: Schema.optionalWith(Schema.Boolean, { default: () => true })
})
export type WorldPeer = typeof WorldPeer.Type

/**
 * A host at one moment, from which the simulator starts. The shape is that of `fixtures/scenario/world.json`: what the API itself
 * answers, so that a real host's answers can be put together into a world of one's own. Unknown keys are ignored.
 */
export const World = Schema.Struct({
  node: Schema.String,
  node_ip: Schema.String,
  timezone: Schema.String,
  version: Schema.Struct({ version: Schema.String, release: Schema.String, repoid: Schema.String }),
  taken_at_unix: Schema.Struct({ time: Schema.Int, localtime: Schema.Int }),
  guests: Schema.Array(WorldGuest),
  storages: Schema.Array(Schema.extend(Schema.Struct({ storage: Schema.String, type: Schema.String }), Config)),
  storage_status: Schema.Array(Schema.Struct({
    storage: Schema.String,
    total: Schema.optionalWith(Schema.Number, { default: () => 0 }),
    used: Schema.optionalWith(Schema.Number, { default: () => 0 }),
    avail: Schema.optionalWith(Schema.Number, { default: () => 0 }),
    active: Schema.optionalWith(Schema.Literal(0, 1), { default: () => 0 as const }),
    enabled: Schema.optionalWith(Schema.Literal(0, 1), { default: () => 1 as const }),
    shared: Schema.optionalWith(Schema.Literal(0, 1), { default: () => 0 as const })
  })),
  storage_content: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Unknown }), {
    default: () => ({})
  }),
  /** The other nodes, and the cluster's name, when the host is in one. */
  peers: Schema.optionalWith(Schema.Array(WorldPeer), { default: () => [] }),
  cluster_name: Schema.optionalWith(Schema.String, { default: () => "pve-sim" }),
  /** Backup jobs as `GET /cluster/backup` gives them. */
  backup_jobs: Schema.optionalWith(Schema.Array(OpenRecord), { default: () => [] }),
  bridges: Schema.optionalWith(Schema.Array(Schema.String), { default: () => ["vmbr0"] }),
  /** `poolid`, `comment` and `members`: objects with a `vmid` or a `storage`. */
  pools: Schema.optionalWith(Schema.Array(OpenRecord), { default: () => [] }),
  groups: Schema.optionalWith(
    Schema.Array(Schema.Struct({
      groupid: Schema.String,
      comment: Schema.optional(Schema.String),
      users: Schema.optionalWith(Names, { default: () => [] })
    })),
    { default: () => [] }
  ),
  disks: Schema.optionalWith(Schema.Array(OpenRecord), { default: () => [] }),
  /** LVM's thin pools as `GET …/disks/lvmthin` gives them; a thin storage without its pool here has one of its own size. */
  thin_pools: Schema.optionalWith(
    Schema.Array(Schema.Struct({
      vg: Schema.String,
      lv: Schema.String,
      lv_size: Schema.Int,
      used: Schema.Int,
      metadata_size: Schema.Int,
      metadata_used: Schema.Int,
      ctime: Schema.optionalWith(Schema.NumberFromString, { default: () => 0 })
    })),
    { default: () => [] }
  ),
  network: Schema.optionalWith(Schema.Array(OpenRecord), { default: () => [] }),
  roles: Schema.Record({ key: Schema.String, value: Names }),
  acl: Schema.Array(AclEntry),
  users: Schema.Array(Schema.Struct({
    userid: Schema.String,
    enable: Schema.optionalWith(Schema.Number, { default: () => 1 }),
    expire: Schema.optionalWith(Schema.Number, { default: () => 0 }),
    "realm-type": Schema.optional(Schema.String),
    firstname: Schema.optional(Schema.String),
    lastname: Schema.optional(Schema.String),
    email: Schema.optional(Schema.String),
    comment: Schema.optional(Schema.String),
    keys: Schema.optional(Schema.String)
  })),
  tokens: Schema.Array(WorldToken),
  /** Those without an end were still running; what became of them nobody knows. */
  cluster_tasks_at_start: Schema.optionalWith(
    Schema.Array(Schema.Struct({
      upid: Schema.String,
      user: Schema.String,
      tokenid: Schema.optional(Schema.String),
      endtime: Schema.optional(Schema.Number),
      status: Schema.optional(Schema.String)
    })),
    { default: () => [] }
  )
})
export type World = typeof World.Type

/** The world in a JSON value cannot be used. */
export class WorldError extends Schema.TaggedError<WorldError>()("WorldError", {
  reason: Schema.Literal("unreadable", "not-json", "not-a-world"),
  source: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot use ${this.source} as a world: ${this.detail}; packages/pve-sim/fixtures/scenario/world.json shows the shape`
  }
}

/** Decodes a world; `source` names it in the error. */
export const decodeWorld = (value: unknown, source: string): Effect.Effect<World, WorldError> =>
  Schema.decodeUnknown(World)(value).pipe(
    Effect.mapError((error) =>
      new WorldError({ reason: "not-a-world", source, detail: error.message.split("\n").slice(-2).join(" ").trim() })
    )
  )

const renamedIn = (value: unknown, from: string, to: string, key = ""): unknown => {
  if (Array.isArray(value)) return value.map((entry) => renamedIn(entry, from, to, key))
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, renamedIn(entry, from, to, name)]))
  }
  if (typeof value !== "string") return value
  if (key === "node" && value === from) return to
  return value.startsWith(`UPID:${from}:`) ? `UPID:${to}:${value.slice(from.length + 6)}` : value
}

/** The same host under another name: its own, and that in its tasks and wherever a `node` is named. */
export const renamed = (world: World, node: string): Effect.Effect<World> =>
  Effect.orDie(Schema.validate(World)(renamedIn(world, world.node, node)))
