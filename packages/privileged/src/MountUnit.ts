import { Schema } from "effect"
import { FilesystemUuid, MountName, mountPointOf } from "./Mount.ts"

/** The file systems that are mounted, by lsblk's name for each, and the kernel's. */
export const mountableTypes: { readonly [fstype: string]: string } = {
  ext2: "ext2",
  ext3: "ext3",
  ext4: "ext4",
  xfs: "xfs",
  btrfs: "btrfs",
  vfat: "vfat",
  exfat: "exfat",
  ntfs: "ntfs3"
}

/** What a `.mount` unit of ours says. */
export interface MountUnit {
  readonly uuid: FilesystemUuid
  readonly name: MountName
  /** As the kernel calls it; a value of `mountableTypes`. */
  readonly type: string
}

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`

/** A path as part of a unit's name, as `systemd-escape --path` has it (systemd.unit(5), "String escaping"). */
export const escapePath = (path: string): string => {
  const inner = path.split("/").filter((part) => part !== "").join("/")
  if (inner === "") return "-"
  return Array.from(new TextEncoder().encode(inner), (byte, index) => {
    const character = String.fromCharCode(byte)
    if (character === "/") return "-"
    return /[a-zA-Z0-9:_]/.test(character) || (character === "." && index > 0) ? character : hex(byte)
  }).join("")
}

/** The path that `escapePath` was given, without its needless slashes. */
export const unescapePath = (escaped: string): string => {
  if (escaped === "-") return "/"
  const bytes: Array<number> = []
  for (const [part = ""] of escaped.matchAll(/\\x[0-9a-f]{2}|[^]/g)) {
    if (part === "-") bytes.push(0x2f)
    else bytes.push(part.length === 4 ? Number.parseInt(part.slice(2), 16) : part.charCodeAt(0))
  }
  return `/${new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes))}`
}

/** `mnt-felhom-NAME.mount`: a mount unit must be named for where it mounts. */
export const unitNameOf = (name: MountName): string => `${escapePath(mountPointOf(name))}.mount`

/** The only place that a file system is mounted from. */
export const sourceOf = (uuid: FilesystemUuid): string => `/dev/disk/by-uuid/${uuid}`

/**
 * The unit's whole text. It is wanted by its disk and not by a target: so it is mounted again whenever the disk is plugged in, and a
 * host that is started without the disk does not wait for it. `nofail` keeps `local-fs.target` from waiting, too.
 */
export const unitText = ({ name, type, uuid }: MountUnit): string =>
  `# Written by felhom-agent's root helper, which takes it away again when the disk is ejected.
[Unit]
Description=Disk ${name} of felhom-agent

[Mount]
What=${sourceOf(uuid)}
Where=${mountPointOf(name)}
Type=${type}
Options=nosuid,nodev,noexec,nofail
TimeoutSec=100

[Install]
WantedBy=${escapePath(sourceOf(uuid))}.device
`

const isUuid = Schema.is(FilesystemUuid)
const isName = Schema.is(MountName)

/** What a unit file says, if it is exactly as it was written here; a file that a person changed is that person's. */
export const parseUnit = (text: string): MountUnit | undefined => {
  const [, uuid] = /^What=\/dev\/disk\/by-uuid\/(.+)$/m.exec(text) ?? []
  const [, name] = /^Where=\/mnt\/felhom\/(.+)$/m.exec(text) ?? []
  const [, type] = /^Type=(.+)$/m.exec(text) ?? []
  if (!isUuid(uuid) || !isName(name) || type === undefined || !Object.values(mountableTypes).includes(type)) {
    return undefined
  }
  const unit = { uuid, name, type }
  return unitText(unit) === text ? unit : undefined
}
