import { Effect } from "effect"
import { type Machine, nowSeconds } from "./Machine.ts"
import { pathOf, type StorageState } from "./StorageState.ts"

/** `gzip` and `1` differ by name only; `0` is the API's default (platform-facts 7.2). */
export const compressions = ["0", "1", "gzip", "lzo", "zstd"] as const
export type Compression = typeof compressions[number]

/** How an archive is packed: the suffix of its name, the command behind the pipe, and what it leaves of the bytes. */
export const packing = (compress: Compression): {
  readonly suffix: string
  readonly command: string
  readonly ratio: number
  /** Bytes a second. */
  readonly speed: number
} => {
  switch (compress) {
    case "0":
      return { suffix: "", command: "", ratio: 1, speed: 300e6 }
    case "1":
    case "lzo":
      return { suffix: ".lzo", command: " | lzop", ratio: 0.6, speed: 200e6 }
    case "gzip":
      return { suffix: ".gz", command: " | gzip --rsyncable", ratio: 0.45, speed: 28e6 }
    case "zstd":
      return { suffix: ".zst", command: " | zstd '--threads=1'", ratio: 0.444, speed: 200e6 }
  }
}

const two = (value: number): string => String(value).padStart(2, "0")

/** Local time on the host: its offset is the one that the world shows. */
export const localDate = (machine: Machine, seconds: number): Date => {
  const { localtime, time } = machine.world.taken_at_unix
  return new Date((seconds + localtime - time) * 1000)
}

/** `2026-11-22 01:26:20`, as logs have it. */
export const logTime = (machine: Machine): Effect.Effect<string> =>
  Effect.map(nowSeconds, (now) => localDate(machine, now).toISOString().slice(0, 19).replace("T", " "))

/** `vzdump-lxc-101-2026_11_22-01_26_20`: the time is that of the guest's own backup, in local time (platform-facts 6.6). */
export const archiveName = (machine: Machine, type: "lxc" | "qemu", vmid: number, seconds: number): string => {
  const date = localDate(machine, seconds)
  const day = `${date.getUTCFullYear()}_${two(date.getUTCMonth() + 1)}_${two(date.getUTCDate())}`
  return `vzdump-${type}-${vmid}-${day}-${two(date.getUTCHours())}_${two(date.getUTCMinutes())}_${
    two(date.getUTCSeconds())
  }`
}

export const dumpFolder = (storage: StorageState): string => `${pathOf(storage)}/dump`

/** `00:01:05`. */
export const logDuration = (seconds: number): string =>
  `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`

// In a user namespace, as all unprivileged containers are read and written.
const tar = "lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar"
const tarOptions = "--totals --one-file-system -p --sparse --numeric-owner --acls --xattrs '--xattrs-include=user.*' " +
  "'--xattrs-include=security.capability' '--warning=no-file-ignored' '--warning=no-xattr-write'"

/** The command line of a backup that failed, as its error names it. */
export const packCommand = (base: string, compress: Compression): string =>
  `set -o pipefail && ${tar} cpf - ${tarOptions} --one-file-system '--warning=no-file-ignored' '--directory=${base}.tmp' ` +
  "./etc/vzdump/pct.conf ./etc/vzdump/pct.fw '--directory=/mnt/vzsnap0' --no-anchored '--exclude=lost+found' --anchored " +
  `'--exclude=./tmp/?*' '--exclude=./var/tmp/?*' '--exclude=./var/run/?*.pid' ./${
    packing(compress).command
  } >${base}.tar.dat`

/** The command line of a restore that failed. */
export const unpackCommand = (vmid: number, archive: string): string => {
  const suffix = { zst: " --zstd", gz: " -z", lzo: " --lzop" }[/\.tar\.(\w+)$/.exec(archive)?.[1] ?? ""] ?? ""
  return `${tar} xpf -${suffix} ${tarOptions} -C /var/lib/lxc/${vmid}/rootfs --skip-old-files --anchored --exclude './dev/*'`
}
