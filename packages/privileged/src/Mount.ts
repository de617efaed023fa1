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

/** The second exception: which disks there are, and mounting or ejecting one of them. The source is a UUID, never a path. */
export const MountRequest = Schema.Union(
  Schema.Struct({ action: Schema.Literal("list") }),
  Schema.Struct({ action: Schema.Literal("mount"), uuid: FilesystemUuid, name: MountName }),
  Schema.Struct({ action: Schema.Literal("eject"), name: MountName })
)
export type MountRequest = typeof MountRequest.Type

/** A block device as `lsblk` tells it; sizes in bytes. Empty fields are null. */
export const BlockDevice = Schema.Struct({
  path: Schema.String,
  uuid: Schema.NullOr(Schema.String),
  fstype: Schema.NullOr(Schema.String),
  label: Schema.NullOr(Schema.String),
  size: Schema.NullOr(Schema.Number),
  tran: Schema.NullOr(Schema.String),
  serial: Schema.NullOr(Schema.String),
  mountpoint: Schema.NullOr(Schema.String)
})
export type BlockDevice = typeof BlockDevice.Type

/** The devices for `list`; for the other two the mount point that was mounted or ejected. */
export const MountResult = Schema.Union(
  Schema.Struct({ action: Schema.Literal("list"), devices: Schema.Array(BlockDevice) }),
  Schema.Struct({ action: Schema.Literal("mount", "eject"), mountPoint: Schema.String })
)
export type MountResult = typeof MountResult.Type

/** `/mnt/felhom/NAME` */
export const mountPointOf = (name: MountName): string => `${mountRoot}/${name}`

/** What `lsblk --json` gives for the columns asked for in `mountArgv`. */
export const LsblkOutput = Schema.parseJson(Schema.Struct({ blockdevices: Schema.Array(BlockDevice) }))

/**
 * The one command line of each action. Mounting is asked of PID 1, so that the mount lives in the host's name space and not
 * in the helper's; a disk's content can bring neither set-uid programs, devices nor executables.
 */
export const mountArgv = (request: MountRequest): readonly [string, ...Array<string>] => {
  switch (request.action) {
    case "list":
      return [
        "/usr/bin/lsblk",
        "--json",
        "--bytes",
        "--list",
        "--output",
        "PATH,UUID,FSTYPE,LABEL,SIZE,TRAN,SERIAL,MOUNTPOINT"
      ]
    case "mount":
      return [
        "/usr/bin/systemd-mount",
        "--no-ask-password",
        "--fsck=no",
        "--options=nosuid,nodev,noexec,nofail",
        `/dev/disk/by-uuid/${request.uuid}`,
        mountPointOf(request.name)
      ]
    case "eject":
      return ["/usr/bin/systemd-mount", "--no-ask-password", "--umount", mountPointOf(request.name)]
  }
}
