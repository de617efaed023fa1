import type { ConsoleChange } from "../ConsoleChange.ts"
import type { OutOfBand } from "./Recording.ts"

/** What a command changes, or why it cannot be carried out here; reading commands change nothing. */
type Understood = ReadonlyArray<ConsoleChange> | string

const nothing: ReadonlyArray<ConsoleChange> = []

/** A shell line taken apart into simple commands; of `a || b` only `a` is kept, since on the real host it went well. */
const simpleCommands = (text: string): ReadonlyArray<ReadonlyArray<string>> => {
  const commands: Array<Array<string>> = [[]]
  const tokens = /"((?:[^"\\]|\\.)*)"|'([^']*)'|(\|\||&&|[;|\n])|(\d?>[>&]?\s*\S+)|([^\s;|&"']+|&)/g
  let skipping = false
  for (const [, double, single, separator, redirect, word] of text.matchAll(tokens)) {
    if (separator !== undefined) {
      skipping = separator === "||" || (separator === "|" ? true : skipping && separator !== ";" && separator !== "\n")
      commands.push([])
    } else if (redirect === undefined && !skipping) {
      commands.at(-1)?.push(double?.replaceAll(/\\(.)/g, "$1") ?? single ?? word ?? "")
    }
  }
  return commands.filter((command) => command.length > 0)
}

// A recorded command has lost its quotes: a value goes on to the next option.
const options = (words: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  let last: string | undefined
  for (const word of words) {
    const [, name, inline] = /^--?([a-z][\w.-]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name !== undefined) {
      found.set(name, inline ?? "")
      last = name
    } else if (last !== undefined) {
      const before = found.get(last) ?? ""
      found.set(last, before === "" ? word : `${before} ${word}`)
    }
  }
  return found
}

const words = (text: string | undefined): ReadonlyArray<string> =>
  (text ?? "").split(/[\s,;]+/).filter((word) => word !== "")

const pct = ([verb = "", id = "", name = "", ...rest]: ReadonlyArray<string>): Understood => {
  const vmid = Number(id)
  const given = options([name, ...rest])
  switch (verb) {
    case "set":
      return [
        ...words(given.get("delete")).map((key) => ({ _tag: "guest.set", vmid, key, value: null } as const)),
        ...Array.from(given).filter(([key]) => key !== "delete").map((
          [key, value]
        ) => ({ _tag: "guest.set", vmid, key, value } as const))
      ]
    case "unlock":
      return [{ _tag: "guest.set", vmid, key: "lock", value: null }]
    case "start":
      return [{ _tag: "guest.status", vmid, status: "running" }]
    case "stop":
    case "shutdown":
      return [{ _tag: "guest.status", vmid, status: "stopped" }]
    case "snapshot":
      return [{ _tag: "guest.snapshot", vmid, name, description: given.get("description") ?? "" }]
    case "delsnapshot":
      return [{ _tag: "guest.delsnapshot", vmid, name }]
    case "destroy":
      return [{ _tag: "guest.destroy", vmid }]
    case "create":
      return [{ _tag: "guest.create", vmid, config: Object.fromEntries(given) }]
    default:
      return ["list", "config", "status", "mount", "unmount"].includes(verb) ? nothing : "unknown"
  }
}

const role = (roleid: string, given: ReadonlyMap<string, string>): Understood => {
  // A note that leaves the privileges out: the role is in the world.
  if (!given.has("privs")) return nothing
  const privs = words(given.get("privs"))
  return given.get("append") === "1"
    ? [{ _tag: "role.append", roleid, privs }]
    : [{ _tag: "role.set", roleid, privs }]
}

const acl = (verb: string, path: string, given: ReadonlyMap<string, string>): Understood => {
  const entries = (["user", "token"] as const).flatMap((type) =>
    words(given.get(`${type}s`)).flatMap((ugid) =>
      words(given.get("roles")).map((roleid) => ({
        path,
        type,
        ugid,
        roleid,
        propagate: given.get("propagate") === "0" ? 0 : 1
      } as const))
    )
  )
  return verb === "delete"
    ? entries.map(({ path, ugid }) => ({ _tag: "acl.remove", path, ugid } as const))
    : entries.map((entry) => ({ _tag: "acl.add", entry } as const))
}

const pveum = (
  [area = "", verb = "", first = "", second = "", ...rest]: ReadonlyArray<string>,
  secretOf: (token: string) => string
): Understood => {
  const given = options([second, ...rest])
  if (area === "role") return verb === "add" || verb === "modify" ? role(first, given) : "unknown"
  if (area === "acl") return acl(verb, first, given)
  if (area === "user" && verb === "token") {
    const [name = "", ...more] = rest
    const token = options(more)
    const tokenid = `${second}!${name}`
    if (first === "remove" || first === "delete") return [{ _tag: "token.remove", tokenid }]
    return first === "add"
      ? [{
        _tag: "token.add",
        tokenid,
        privsep: token.get("privsep") === "0" ? 0 : 1,
        expire: Number(token.get("expire") ?? "0"),
        secret: secretOf(name)
      }]
      : "unknown"
  }
  if (area === "user" && (verb === "add" || verb === "modify")) {
    return [{ _tag: "user.set", userid: first, enable: given.get("enable") === "0" ? 0 : 1 }]
  }
  return "unknown"
}

const pvesm = ([verb = "", first = "", second = "", ...rest]: ReadonlyArray<string>): Understood => {
  if (verb === "add") {
    return [{ _tag: "storage.set", storage: second, config: { type: first, ...Object.fromEntries(options(rest)) } }]
  }
  if (verb === "set") {
    return [{ _tag: "storage.set", storage: first, config: Object.fromEntries(options([second, ...rest])) }]
  }
  return verb === "remove" ? [{ _tag: "storage.remove", storage: first }] : verb === "status" ? nothing : "unknown"
}

const service = (name: string, running: boolean): Understood =>
  name === "pvedaemon" ?
    [{ _tag: "service.set", name, running }]
    : name === "pmxcfs" || name === "pve-cluster" ?
    [{ _tag: "service.set", name: "pmxcfs", running }]
    : "unknown"

const reads = new Set([
  "cat",
  "ls",
  "echo",
  "sleep",
  "df",
  "du",
  "sync",
  "sha256sum",
  "true",
  "mkdir",
  "stat",
  "date",
  "grep"
])

/** `dd` fills the storage at a path, or puts data into a mounted guest. */
const written = (words: ReadonlyArray<string>): Understood => {
  const given = new Map(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]))
  const path = given.get("of") ?? ""
  const mebibytes = given.get("bs") === "1M" && given.has("count") ? Number(given.get("count")) : undefined
  const vmid = /^\/var\/lib\/lxc\/(\d+)\/rootfs\//.exec(path)?.[1]
  if (vmid === undefined) return mebibytes === undefined ? [{ _tag: "storage.filled", path }] : "unknown"
  return mebibytes === undefined
    ? "unknown"
    : [{ _tag: "guest.data", vmid: Number(vmid), bytes: 2_498_560 + mebibytes * 1024 * 1024 }]
}

const understand = (command: ReadonlyArray<string>, secretOf: (token: string) => string): Understood => {
  const [program = "", ...rest] = command
  switch (program) {
    case "pct":
      return pct(rest)
    case "qm":
      // Its verbs are pct's; a virtual machine is made from what no line of options tells.
      return rest[0] === "create" ? "unknown" : pct(rest)
    case "pveum":
      return pveum(rest, secretOf)
    case "pvesm":
      return pvesm(rest)
    case "systemctl":
      return rest[0] === "stop" || rest[0] === "start" ? service(rest[1] ?? "", rest[0] === "start") : nothing
    case "kill":
      return /pmxcfs/.test(rest.join(" ")) ? service("pmxcfs", false) : "unknown"
    case "pmxcfs":
      return service("pmxcfs", true)
    case "rm":
      return rest.filter((word) => word.startsWith("/")).map((path) => ({ _tag: "file.remove", path }))
    case "umount":
    case "mount":
      return rest.filter((word) => /^\/(?!dev)/.test(word)).map((path) => ({
        _tag: "storage.mounted",
        path,
        mounted: program === "mount"
      }))
    case "dd":
      return written(rest)
    case "bash":
      // The quotes around its script are lost, so its first command stands on the same line.
      return rest[0] === "-c" && rest.length > 1 ? understand(rest.slice(1), secretOf) : "unknown"
    default:
      return reads.has(program) ? nothing : "unknown"
  }
}

/**
 * What root's shell command changes on the host. `refused` names the commands that mean nothing here; `secretOf` gives a new
 * token its secret.
 */
export const rootChanges = (
  note: OutOfBand,
  secretOf: (token: string) => string
): { readonly changes: ReadonlyArray<ConsoleChange>; readonly refused: ReadonlyArray<string> } => {
  const understood = simpleCommands(note.command ?? "").map((command) =>
    [command.join(" ").replaceAll("\n", " "), understand(command, secretOf)] as const
  )
  return {
    changes: [...note.changes, ...understood.flatMap(([, changes]) => typeof changes === "string" ? [] : changes)],
    refused: understood.flatMap(([command, changes]) =>
      typeof changes === "string" ? [`${command}: this command is not understood`] : []
    )
  }
}
