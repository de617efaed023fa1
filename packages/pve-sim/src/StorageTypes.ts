/** One plugin's options (platform-facts 1.6): what a new storage needs, and what may never be changed again. */
interface StorageType {
  readonly required: ReadonlyArray<string>
  readonly fixed: ReadonlyArray<string>
  readonly optional: ReadonlyArray<string>
  /** Content of a new storage that does not say. */
  readonly content: string
}

const everywhere = ["content", "nodes", "disable", "bwlimit"]
const backups = ["prune-backups", "max-protected-backups"]
const files = [
  ...everywhere,
  ...backups,
  "shared",
  "format",
  "preallocation",
  "content-dirs",
  "create-base-path",
  "create-subdirs",
  "mkdir"
]

const types: { readonly [type: string]: StorageType } = {
  dir: {
    required: ["path"],
    fixed: ["path", "snapshot-as-volume-chain"],
    optional: [...files, "is_mountpoint"],
    content: "vztmpl,iso,backup"
  },
  btrfs: {
    required: ["path"],
    fixed: ["path"],
    optional: [...files, "is_mountpoint", "nocow"],
    content: "images,rootdir"
  },
  nfs: {
    required: ["server", "export"],
    fixed: ["path", "server", "export"],
    optional: [...files, "options"],
    content: "images"
  },
  cifs: {
    required: ["server", "share"],
    fixed: ["path", "server", "share"],
    optional: [...files, "username", "password", "domain", "smbversion", "subdir", "options"],
    content: "images"
  },
  lvm: {
    required: ["vgname"],
    fixed: ["vgname", "base"],
    optional: [...everywhere, "shared", "saferemove", "saferemove_throughput", "tagged_only"],
    content: "images,rootdir"
  },
  lvmthin: {
    required: ["thinpool", "vgname"],
    fixed: ["thinpool", "vgname"],
    optional: everywhere,
    content: "images,rootdir"
  },
  zfspool: {
    required: ["pool"],
    fixed: ["pool"],
    optional: [...everywhere, "blocksize", "sparse", "mountpoint"],
    content: "images,rootdir"
  },
  pbs: {
    required: ["server", "datastore"],
    fixed: ["server", "datastore"],
    optional: [
      ...everywhere,
      ...backups,
      "namespace",
      "port",
      "username",
      "password",
      "fingerprint",
      "encryption-key",
      "master-pubkey"
    ],
    content: "backup"
  }
}

/** All types that Proxmox has. Those that are not played are known by name alone. */
export const storageTypes: ReadonlyArray<string> = [
  ...Object.keys(types),
  "cephfs",
  "esxi",
  "iscsi",
  "iscsidirect",
  "rbd",
  "zfs"
].sort()

export const isPlayed = (type: string): boolean => type in types

/** Every option that some type has, but for the few whose values have a format of their own. */
export const storageOptions: ReadonlyArray<string> = Array.from(
  new Set(Object.values(types).flatMap(({ fixed, optional, required }) => [...required, ...fixed, ...optional]))
)

export const defaultContent = (type: string): string => types[type]?.content ?? "images"

/** What the type's plugin has against these options, in its words; undefined when nothing. */
export const optionTrouble = (
  type: string,
  options: { readonly [key: string]: string },
  creating: boolean
): string | undefined => {
  const plugin = types[type]
  if (plugin === undefined) return `unknown section type '${type}'`
  const known = [...plugin.required, ...plugin.fixed, ...plugin.optional, "type"]
  for (const key of Object.keys(options).toSorted()) {
    if (!creating && plugin.fixed.includes(key)) return `can't change value of fixed parameter '${key}'`
    if (!known.includes(key)) return `unexpected property '${key}'`
  }
  const missing = creating ? plugin.required.find((key) => options[key] === undefined) : undefined
  return missing === undefined ? undefined : `missing value for required option '${missing}'`
}

/**
 * Why a new storage of the type can't be brought up: this host has directories alone, sees no volume group or pool, and of other
 * machines those that answer it.
 */
export const activationTrouble = (
  storage: string,
  type: string,
  options: { readonly [key: string]: string },
  servers: ReadonlySet<string> = new Set()
): string | undefined => {
  if (servers.has(options["server"] ?? "")) return undefined
  switch (type) {
    case "nfs":
    case "cifs":
      return `storage '${storage}' is not online`
    case "lvm":
      return `no such volume group '${options["vgname"] ?? ""}'`
    case "lvmthin":
      return `no such logical volume ${options["vgname"] ?? ""}/${options["thinpool"] ?? ""}`
    case "zfspool":
      return `could not activate storage '${storage}', zfs error: cannot import '${
        options["pool"] ?? ""
      }': no such pool available`
    case "pbs":
      return `${storage}: error fetching datastores - 500 Can't connect to ${options["server"] ?? ""}:${
        options["port"] ?? "8007"
      } (No route to host)`
    default:
      return undefined
  }
}
