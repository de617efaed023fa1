import type { ConsoleChange } from "../ConsoleChange.ts"
import type { OutOfBand } from "./Recording.ts"
import { options, type Understood, words } from "./RootOptions.ts"
import { pveum } from "./RootPveum.ts"
import { type ShellCommand, shellCommands } from "./Shell.ts"

const nothing: ReadonlyArray<ConsoleChange> = []

// Of the request for a new guest, and not of its configuration.
const ofCreation = new Set([
  "storage",
  "start",
  "force",
  "password",
  "ssh-public-keys",
  "ostemplate",
  "ignore-unpack-errors",
  "bwlimit",
  "unique",
  "pool",
  "archive",
  "debug"
])

const creation = (
  type: "lxc" | "qemu",
  vmid: number,
  archive: string | undefined,
  given: ReadonlyMap<string, string>
): Understood => {
  const config = Object.fromEntries(Array.from(given).filter(([key]) => !ofCreation.has(key) && key !== "restore"))
  const storage = given.get("storage")
  const pool = given.get("pool")
  return [
    archive === undefined
      ? { _tag: "guest.create", vmid, type, config: { ...config, ...(storage === undefined ? {} : { storage }) } }
      : {
        _tag: "guest.restore",
        vmid,
        archive,
        storage: storage ?? "local",
        force: given.has("force") && given.get("force") !== "0",
        unique: given.has("unique") && given.get("unique") !== "0",
        config
      },
    ...(pool === undefined
      ? []
      : [{ _tag: "pool.change", poolid: pool, leave: false, vms: [vmid], storages: [] } as const]),
    ...(given.has("start") && given.get("start") !== "0"
      ? [{ _tag: "guest.status", vmid, status: "running" } as const]
      : [])
  ]
}

const setting = (vmid: number, given: ReadonlyMap<string, string>): ReadonlyArray<ConsoleChange> => [
  ...words(given.get("delete")).map((key) => ({ _tag: "guest.set", vmid, key, value: null } as const)),
  ...Array.from(given)
    .filter(([key]) => !["delete", "digest", "skiplock", "force"].includes(key))
    .map(([key, value]) => ({ _tag: "guest.set", vmid, key, value } as const))
]

/** `pct` and `qm`, whose verbs are the same. */
const guests = (type: "lxc" | "qemu", [verb = "", id = "", ...rest]: ReadonlyArray<string>): Understood => {
  const [name = "", ...more] = rest
  const isRunning = id.startsWith("$(") && /list/.test(id) && /running/.test(id)
  if (isRunning && (verb === "stop" || verb === "shutdown")) return [{ _tag: "guests.stop" }]
  const vmid = Number(id)
  switch (verb) {
    case "set":
      return setting(vmid, options(rest))
    case "unlock":
      return [{ _tag: "guest.set", vmid, key: "lock", value: null }]
    case "start":
      return [{ _tag: "guest.status", vmid, status: "running" }]
    case "stop":
    case "shutdown":
      return [{ _tag: "guest.status", vmid, status: "stopped" }]
    case "snapshot":
      return [{ _tag: "guest.snapshot", vmid, name, description: options(more).get("description") ?? "" }]
    case "delsnapshot":
      return [{ _tag: "guest.delsnapshot", vmid, name }]
    case "destroy":
      return [{ _tag: "guest.destroy", vmid }]
    case "template":
      return [{ _tag: "guest.set", vmid, key: "template", value: "1" }]
    case "create": {
      const given = options(name.startsWith("-") ? rest : more)
      const restored = given.get("archive") ?? (given.has("restore") ? given.get("ostemplate") ?? name : undefined)
      return creation(type, vmid, restored, given)
    }
    case "restore":
      return creation(type, vmid, name, options(more))
    default:
      return ["list", "config", "status", "mount", "unmount", "pending", "listsnapshot", "exec", "push", "pull", "df"]
          .includes(verb)
        ? nothing
        : "unknown"
  }
}

// `qmrestore ARCHIVE VMID` and `pct restore VMID ARCHIVE` mean the same.
const qmrestore = ([archive = "", id = "", ...rest]: ReadonlyArray<string>): Understood =>
  creation("qemu", Number(id), archive, options(rest))

const pvesm = ([verb = "", first = "", second = "", ...rest]: ReadonlyArray<string>): Understood => {
  switch (verb) {
    case "add":
      return [{ _tag: "storage.set", storage: second, config: { type: first, ...Object.fromEntries(options(rest)) } }]
    case "set": {
      const given = options([second, ...rest])
      const removed = words(given.get("delete")).map((key) => [key, ""] as const)
      const config = Array.from(given).filter(([key]) => key !== "delete" && key !== "digest")
      return [{ _tag: "storage.set", storage: first, config: Object.fromEntries([...config, ...removed]) }]
    }
    case "remove":
      return [{ _tag: "storage.remove", storage: first }]
    case "free":
      return [{ _tag: "file.remove", path: first }]
    default:
      return ["status", "list", "path", "scan", "extractconfig"].includes(verb) ? nothing : "unknown"
  }
}

const service = (name: string, running: boolean): ReadonlyArray<ConsoleChange> => {
  const known = name.replace(/\.service$/, "")
  return known === "pvedaemon"
    ? [{ _tag: "service.set", name: known, running }]
    : known === "pmxcfs" || known === "pve-cluster"
    ? [{ _tag: "service.set", name: "pmxcfs", running }]
    // Without pveproxy nobody is answered, and there is nothing to compare; the others are not seen over the API.
    : nothing
}

const reads = new Set([
  "[",
  "[[",
  "test",
  ":",
  "awk",
  "btrfs",
  "cat",
  "chmod",
  "chown",
  "cksum",
  "cmp",
  "cp",
  "curl",
  "cut",
  "date",
  "df",
  "diff",
  "dmesg",
  "du",
  "echo",
  "env",
  "exit",
  "export",
  "fallocate",
  "file",
  "find",
  "findmnt",
  "fuser",
  "grep",
  "head",
  "hostname",
  "id",
  "ip",
  "ln",
  "losetup",
  "ls",
  "lsblk",
  "lxc-attach",
  "lxc-info",
  "lxc-ls",
  "md5sum",
  "mkdir",
  "mkfs.btrfs",
  "mkfs.ext4",
  "mountpoint",
  "nsenter",
  "pgrep",
  "printf",
  "ps",
  "pveversion",
  "pvecm",
  "pvenode",
  "read",
  "rmdir",
  "sed",
  "seq",
  "set",
  "sha256sum",
  "sleep",
  "sort",
  "ss",
  "stat",
  "sync",
  "tail",
  "tar",
  "tee",
  "touch",
  "tr",
  "trap",
  "true",
  "false",
  "truncate",
  "uname",
  "wait",
  "wc",
  "which",
  "xargs",
  "zstd"
])

const mebibytesOf = (given: ReadonlyMap<string, string>): number | undefined => {
  const [, block, unit = ""] = /^(\d+)([KMG]?)B?$/.exec(given.get("bs") ?? "512") ?? []
  const count = given.get("count")
  if (block === undefined || count === undefined || !/^\d+$/.test(count)) return undefined
  return Number(block) * 1024 ** " KMG".indexOf(unit === "" ? " " : unit) * Number(count) / 1024 ** 2
}

/** `dd` fills the storage at a path, or puts data into a mounted guest. */
const written = (words: ReadonlyArray<string>): Understood => {
  const given = new Map(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]))
  const path = given.get("of") ?? ""
  const bytes = (mebibytesOf(given) ?? 0) * 1024 * 1024
  const vmid = /^\/var\/lib\/lxc\/(\d+)\/rootfs\//.exec(path)?.[1]
  if (vmid !== undefined) {
    return bytes > 0 ? [{ _tag: "guest.data", vmid: Number(vmid), bytes: 2_498_560 + bytes }] : "unknown"
  }
  if (!given.has("count")) return [{ _tag: "storage.filled", path }]
  // A count that the shell worked out from what was free: what came of it, the note's output tells.
  return bytes > 0 ? [{ _tag: "storage.written", path, bytes }] : nothing
}

const guestFile = /^\/etc\/pve\/(?:nodes\/[^/]+\/)?(lxc|qemu-server)\/(\d+)\.conf$/
const isArchive = (path: string): boolean => /^\/[^$]*\/dump\/vzdump-[^/]+\.(?:tar|vma|tgz)[^/]*$/.test(path)

/** What a command writes into the file that its output goes to. */
const redirected = ({ input, target, words }: ShellCommand): ReadonlyArray<ConsoleChange> => {
  if (target === undefined) return nothing
  const { append, path } = target
  const [program = "", ...rest] = words
  const [, folder, id] = guestFile.exec(path) ?? []
  if (folder !== undefined) {
    const text = input ?? (program === "printf" || program === "echo"
      ? rest.filter((word) => word !== "-e").join(" ").replaceAll("\\n", "\n")
      : "")
    return [{ _tag: "guest.file", vmid: Number(id), type: folder === "lxc" ? "lxc" : "qemu", text, append }]
  }
  const stubborn = /^\/var\/lib\/lxc\/(\d+)\/rootfs\/sbin\/init$/.exec(path)?.[1]
  if (stubborn !== undefined) {
    return [{ _tag: "guest.stubborn", vmid: Number(stubborn), stubborn: /trap ["']{2}/.test(rest.join(" ")) }]
  }
  if (!isArchive(path)) return nothing
  const from = rest.find(isArchive)
  if (program === "head" && from !== undefined) {
    return [{ _tag: "archive.copy", from, to: path, damage: "truncated" }]
  }
  return [":", "true", "echo", "printf"].includes(program)
    ? [{ _tag: "archive.damage", volid: path, damage: "empty" }]
    : nothing
}

const copied = (rest: ReadonlyArray<string>): ReadonlyArray<ConsoleChange> => {
  const [from = "", to = ""] = rest.filter((word) => !word.startsWith("-"))
  return isArchive(from) && isArchive(to) ? [{ _tag: "archive.copy", from, to }] : nothing
}

const truncated = (rest: ReadonlyArray<string>): ReadonlyArray<ConsoleChange> => {
  const path = rest.find(isArchive)
  return path === undefined
    ? nothing
    : [{ _tag: "archive.damage", volid: path, damage: options(rest).get("s") === "0" ? "empty" : "truncated" }]
}

const understand = (command: ShellCommand, secretOf: (token: string) => string): Understood => {
  const [program = "", ...rest] = command.words
  switch (program) {
    case "pct":
      return guests("lxc", rest)
    case "qm":
      return guests("qemu", rest)
    case "qmrestore":
      return qmrestore(rest)
    case "pveum":
      return pveum(rest, secretOf)
    case "pvesm":
      return pvesm(rest)
    case "systemctl": {
      const [verb = "", ...names] = rest.filter((word) => !word.startsWith("-"))
      return verb === "stop" || verb === "start"
        ? names.flatMap((name) => service(name, verb === "start"))
        : nothing
    }
    case "kill":
    case "killall":
    case "pkill":
      return /pmxcfs/.test(rest.join(" ")) ? service("pmxcfs", false) : /HUP/.test(rest.join(" ")) ? nothing : "unknown"
    case "pmxcfs":
      return service("pmxcfs", true)
    case "rm":
      return rest.filter((word) => word.startsWith("/")).map((path) => ({ _tag: "file.remove", path }))
    case "mv": {
      const [from = ""] = rest.filter((word) => !word.startsWith("-"))
      const copies = copied(rest)
      return copies.length === 0 ? nothing : [...copies, { _tag: "file.remove", path: from }]
    }
    case "cp":
      return copied(rest)
    case "truncate":
      return truncated(rest)
    case "umount":
    case "mount":
      return rest.filter((word) => /^\/(?!dev|root)/.test(word)).map((path) => ({
        _tag: "storage.mounted",
        path,
        mounted: program === "mount"
      }))
    case "dd":
      return written(rest)
    case "flock":
      return rest.some((word) => word.includes("vzdump.lock"))
        ? [{ _tag: "vzdump.lock", seconds: Number(/sleep (\d+)/.exec(rest.join(" "))?.[1] ?? "10") }]
        : nothing
    default:
      return reads.has(program) || program.startsWith("$") || /^\w+=/.test(program) ? nothing : "unknown"
  }
}

/** How full file systems were in the end, as `df` and `pvesm status` printed it, in KiB. */
const measured = (output: string): ReadonlyArray<ConsoleChange> =>
  output.split("\n").flatMap((line): ReadonlyArray<ConsoleChange> => {
    const [, total, available, path] = /^\S+\s+(\d+)\s+\d+\s+(\d+)\s+\d+%\s+(\/\S+)$/.exec(line) ?? []
    if (path !== undefined) {
      return [{ _tag: "storage.size", storage: path, total: Number(total) * 1024, avail: Number(available) * 1024 }]
    }
    const [, storage, size, left] = /^(\S+)\s+\w+\s+active\s+(\d+)\s+\d+\s+(\d+)\s+[\d.]+%$/.exec(line) ?? []
    return storage === undefined
      ? []
      : [{ _tag: "storage.size", storage, total: Number(size) * 1024, avail: Number(left) * 1024 }]
  })

/** One thing that root changed; what is `lenient` may have failed on the real host, too. */
export interface RootChange {
  readonly change: ConsoleChange
  readonly lenient: boolean
}

/**
 * What root's shell command changes on the host. `refused` names the commands that mean nothing here; `secretOf` gives a new
 * token its secret.
 */
export const rootChanges = (
  note: OutOfBand,
  secretOf: (token: string) => string
): { readonly changes: ReadonlyArray<RootChange>; readonly refused: ReadonlyArray<string> } => {
  const strict = (change: ConsoleChange): RootChange => ({ change, lenient: false })
  const understood = shellCommands(note.command ?? "").map((command) => {
    const changes = understand(command, secretOf)
    return {
      command,
      changes: [...(typeof changes === "string" ? [] : changes), ...redirected(command)],
      refused: typeof changes === "string" && !command.lenient
    }
  })
  return {
    changes: [
      ...note.changes.map(strict),
      ...understood.flatMap(({ changes, command: { lenient } }) => changes.map((change) => ({ change, lenient }))),
      // A file system that no storage lies on is nobody's business here.
      ...measured(note.output).map((change) => ({ change, lenient: true }))
    ],
    refused: understood.flatMap(({ command, refused }) =>
      refused ? [`${command.words.join(" ").replaceAll("\n", " ")}: this command is not understood`] : []
    )
  }
}
