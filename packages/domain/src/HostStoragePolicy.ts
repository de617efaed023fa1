import { Schema } from "effect"
import { StorageId } from "./ProxmoxId.ts"

const orElse = <A>(value: A) => ({ default: () => value })

/** A set's or a disk's name: the last part of a mount point, so it has no dot, no slash and no dash at its ends. */
export const DiskName = Schema.String.pipe(
  Schema.pattern(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, {
    message: () => "a disk's or a set's name has 1 to 32 lower-case letters, digits and inner dashes"
  })
)

/** A file system's UUID as `blkid` and `lsblk` show it: ext4 and friends, NTFS, or FAT. */
export const DiskUuid = Schema.String.pipe(
  Schema.pattern(/^(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9A-F]{16}|[0-9A-F]{4}-[0-9A-F]{4})$/, {
    message: () => "not the UUID of a file system, as lsblk -o UUID shows it"
  })
)

const text = (pattern: RegExp, what: string) => Schema.String.pipe(Schema.pattern(pattern, { message: () => what }))

const Serial = text(
  /^[\x21-\x7e](?:[\x20-\x7e]{0,58}[\x21-\x7e])?$/,
  "a serial number has 1 to 60 letters, as lsblk -d -o SERIAL shows it"
)

const Content = Schema.Array(
  Schema.Literal("backup", "images", "rootdir", "vztmpl", "iso", "snippets", "import")
).pipe(Schema.minItems(1))

/** One disk of a set: by its file system's UUID, and by its serial number where one is named. */
export const PolicyDisk = Schema.Struct({
  uuid: DiskUuid,
  serial: Schema.optionalWith(Schema.NullOr(Serial), orElse<string | null>(null)),
  /** After so many days away it is due back; null: it may stay away for ever. */
  backAfterDays: Schema.optionalWith(
    Schema.NullOr(Schema.Int.pipe(Schema.between(1, 3650))),
    orElse<number | null>(null)
  )
})
export type PolicyDisk = typeof PolicyDisk.Type

/** Disks that take turns under one name, and the Proxmox VE storage over where they are mounted. */
export const PolicyDiskSet = Schema.Struct({
  storage: StorageId,
  content: Schema.optionalWith(Content, orElse<typeof Content.Type>(["backup"])),
  disks: Schema.Record({ key: DiskName, value: PolicyDisk }).pipe(
    Schema.filter((disks) => Object.keys(disks).length === 0 ? "a set has one disk or more" : undefined)
  )
})
export type PolicyDiskSet = typeof PolicyDiskSet.Type

const Server = text(/^[a-zA-Z0-9](?:[a-zA-Z0-9.:-]{0,252}[a-zA-Z0-9])?$/, "a server is a host name or an address")
const Share = text(/^[^\s/\\,][^\r\n\t,]{0,79}$/, "the name of a share, without slashes and commas")
const Fingerprint = text(/^(?:[A-F0-9]{2}:){31}[A-F0-9]{2}$/, "a fingerprint reads AA:BB:..., 32 pairs, in capitals")
const User = text(/^[\x21-\x7e]{1,128}$/, "a user's name without spaces")
/** The name of a secret on the host; never the secret. */
const CredentialName = text(
  /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/,
  "the name of a credential: lower-case letters, digits and inner dashes"
)

/** A storage on another machine: where it is, how that machine shows who it is, and which secret on this host opens it. */
export const PolicyNetworkStorage = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("nfs"),
    server: Server,
    export: text(/^\/[^\s;()]{0,255}$/, "an export is an absolute path"),
    content: Schema.optionalWith(Content, orElse<typeof Content.Type>(["backup"]))
  }),
  Schema.Struct({
    type: Schema.Literal("cifs"),
    server: Server,
    share: Share,
    username: Schema.optional(User),
    credential: Schema.optional(CredentialName),
    content: Schema.optionalWith(Content, orElse<typeof Content.Type>(["backup"]))
  }),
  Schema.Struct({
    type: Schema.Literal("pbs"),
    server: Server,
    port: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 65_535)), orElse(8007)),
    datastore: text(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,31}$/, "the name of a datastore"),
    namespace: Schema.optional(text(/^[a-zA-Z0-9_][a-zA-Z0-9._/-]{0,255}$/, "a namespace")),
    username: User,
    credential: CredentialName,
    fingerprint: Fingerprint
  })
)
export type PolicyNetworkStorage = typeof PolicyNetworkStorage.Type

const once = (what: string, names: ReadonlyArray<string>): string | undefined => {
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  return twice === undefined ? undefined : `${what} ${twice} is there twice`
}

/**
 * The storages that the agent itself sets up and keeps on this host (protocol 3): disks that are plugged in, and other machines. Only
 * this says where a storage points; a hub can't.
 */
export const HostStoragePolicy = Schema.Struct({
  /** By the name of the set, which is also where it is mounted: /mnt/felhom/NAME. */
  disks: Schema.optionalWith(
    Schema.Record({ key: DiskName, value: PolicyDiskSet }),
    orElse<{ readonly [name: string]: PolicyDiskSet }>({})
  ),
  /** By the storage's id. */
  network: Schema.optionalWith(
    Schema.Record({ key: StorageId, value: PolicyNetworkStorage }),
    orElse<{ readonly [storage: string]: PolicyNetworkStorage }>({})
  ),
  /** On a cluster of several nodes storages are everybody's: whether this host is the one that writes them. */
  writesCluster: Schema.optionalWith(Schema.Boolean, orElse(false))
}).pipe(Schema.filter(({ disks, network }) => {
  const sets = Object.values(disks)
  return once(
    "the storage",
    [...sets.map(({ storage }) => storage), ...Object.keys(network)].map((id) => id.toLowerCase())
  ) ??
    once("the disk", sets.flatMap((set) => Object.keys(set.disks))) ??
    once("the UUID", sets.flatMap((set) => Object.values(set.disks).map(({ uuid }) => uuid.toLowerCase())))
}))
export type HostStoragePolicy = typeof HostStoragePolicy.Type

/** What holds where root wrote none: none is set up. */
export const noHostStorage: HostStoragePolicy = Schema.decodeSync(HostStoragePolicy)({})
