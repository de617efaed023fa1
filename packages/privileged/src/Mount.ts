import { Schema } from "effect"

/** The folder below which all disks are mounted. */
export const mountRoot = "/mnt/felhom"

/** A file system's UUID as `/dev/disk/by-uuid` names it: ext4 and friends, NTFS, or FAT. */
export const FilesystemUuid = Schema.String.pipe(
  Schema.pattern(/^(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9A-F]{16}|[0-9A-F]{4}-[0-9A-F]{4})$/, {
    message: () => "not the UUID of a file system"
  }),
  Schema.brand("FilesystemUuid")
)
export type FilesystemUuid = typeof FilesystemUuid.Type

/** The last part of a mount point, below `mountRoot`. */
export const MountName = Schema.String.pipe(
  Schema.pattern(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, {
    message: () => "a mount's name has 1 to 32 lower-case letters, digits and inner dashes"
  }),
  Schema.brand("MountName")
)
export type MountName = typeof MountName.Type

/** What is written on a disk once, so that it is known again: 128 random bits in hex. */
export const DiskMark = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{32}$/, { message: () => "a disk's mark is 32 hex digits" }),
  Schema.brand("DiskMark")
)
export type DiskMark = typeof DiskMark.Type

/**
 * What a disk's mark has to be. `same`: this one. `fresh`: this one, and it is written where there is none. `any`: whatever it is, and
 * this one is written where there is none. A disk whose mark does not hold is not left mounted.
 */
export const MarkRule = Schema.Struct({ rule: Schema.Literal("same", "fresh", "any"), mark: DiskMark })
export type MarkRule = typeof MarkRule.Type

/** The second exception: which disks there are, and mounting or ejecting one of them. The source is a UUID, never a path. */
export const MountRequest = Schema.Union(
  Schema.Struct({ action: Schema.Literal("list") }),
  Schema.Struct({
    action: Schema.Literal("mount"),
    uuid: FilesystemUuid,
    name: MountName,
    marked: Schema.optional(MarkRule)
  }),
  Schema.Struct({ action: Schema.Literal("eject"), name: MountName })
)
export type MountRequest = typeof MountRequest.Type

/** A disk or a partition of one, with the disk's serial number; sizes in bytes, empty fields null, names from the disk shortened to what a terminal can show. */
export const MountableDevice = Schema.Struct({
  path: Schema.String,
  uuid: Schema.NullOr(Schema.String),
  fstype: Schema.NullOr(Schema.String),
  label: Schema.NullOr(Schema.String),
  size: Schema.NullOr(Schema.Number),
  tran: Schema.NullOr(Schema.String),
  serial: Schema.NullOr(Schema.String),
  mountpoint: Schema.NullOr(Schema.String),
  /** Why it would not be mounted; null where it would. */
  refusal: Schema.NullOr(Schema.String)
})
export type MountableDevice = typeof MountableDevice.Type

/**
 * For `list` the disks and partitions, those that can be mounted or are by us first, and how many of the others did not fit into one answer; for
 * the other two the mount point that was mounted or ejected.
 */
export const MountResult = Schema.Union(
  Schema.Struct({
    action: Schema.Literal("list"),
    devices: Schema.Array(MountableDevice),
    omitted: Schema.NonNegativeInt
  }),
  Schema.Struct({
    action: Schema.Literal("mount", "eject"),
    mountPoint: Schema.String,
    /** The disk's mark, where one was asked for. */
    mark: Schema.optional(DiskMark)
  })
)
export type MountResult = typeof MountResult.Type

/** `/mnt/felhom/NAME` */
export const mountPointOf = (name: MountName): string => `${mountRoot}/${name}`

/** The command line that tells which block devices there are, as `parseLsblk` reads it. */
export const lsblkArgv: readonly [string, ...Array<string>] = [
  "/usr/bin/lsblk",
  "--json",
  "--bytes",
  "--tree",
  "--output",
  "NAME,PATH,TYPE,FSTYPE,UUID,LABEL,PARTTYPE,SIZE,RO,TRAN,SERIAL,MOUNTPOINTS"
]

/**
 * The command lines by which PID 1 is asked to do what needs doing: so a mount lives in the host's name space, not in the helper's.
 * `unit` is a name of `unitNameOf`, which begins with a letter.
 */
export const systemctlArgv = (
  verb: "daemon-reload" | "start" | "stop" | "enable" | "disable",
  ...units: ReadonlyArray<string>
): readonly [string, ...Array<string>] => [
  "/usr/bin/systemctl",
  "--no-ask-password",
  "--no-pager",
  "--quiet",
  verb,
  ...units
]
