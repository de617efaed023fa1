import type { Renames } from "./Renames.ts"

// A time, process id, size, load or random id differs between two runs on the same real host, too.
const varying = new Set([
  "starttime",
  "endtime",
  "uptime",
  "time",
  "localtime",
  "ctime",
  "snaptime",
  "pid",
  "pstart",
  "used",
  "avail",
  "available",
  "free",
  "disk",
  "mem",
  "used_fraction",
  "cpu",
  "loadavg",
  "idle",
  "wait",
  ...["cpu", "io", "memory"].flatMap((kind) => [`pressure${kind}some`, `pressure${kind}full`])
])

const identity = [
  "id",
  "volid",
  "name",
  "key",
  "iface",
  "devpath",
  "subdir",
  "cmd",
  "userid",
  "ugid",
  "storage",
  "vmid",
  "n",
  "time"
]

// The samples of a node and a guest are loads and sizes throughout.
const isSample = (path: string): boolean => path.startsWith("rrddata")

type Members = { readonly [key: string]: unknown }

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const kind = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "array" : typeof value

/** Times, process ids and amounts in a line of text, replaced by what they are. */
const settled = (text: string): string =>
  text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "<time>")
    .replaceAll(/\(\d\d:\d\d:\d\d\)/g, "(<duration>)")
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>")
    .replaceAll(/\/proc\/\d+\//g, "/proc/<pid>/")
    .replaceAll(/vzdumptmp\d+_/g, "vzdumptmp<pid>_")
    .replaceAll(/(Total bytes (?:written|read)): \d+ \([^)]*\)/g, "$1: <size>")
    .replaceAll(/archive file size: \S+/g, "archive file size: <size>")
    .replaceAll(/transferred \S+ bytes in \d+s/g, "transferred <size>")
    .replaceAll(/online again after <?\d+ seconds/g, "online again after <duration>")
    .replaceAll(/\d+\/\d+ files \([^)]*\), \d+\/\d+ blocks/g, "<size>")

// The options of a logged command line stand in Perl's random order.
const commandLine = /^INFO: starting new backup job: /

const comparable = (key: string, value: unknown): unknown => {
  if (typeof value !== "string") return value
  // A storage's content comes in any order (platform-facts 7.2).
  if (key === "content") return value.split(",").sort().join(",")
  if (commandLine.test(value)) return value.split(" --").sort().join(" --")
  // What is wrong with the parts of a property string stands in random order, too.
  const [head, ...lines] = value.split("\n")
  return settled(head?.endsWith("format error") === true ? [head, ...lines.toSorted()].join("\n") : value)
}

const keyOf = (row: unknown): string => {
  if (!isMembers(row)) return JSON.stringify(row)
  // A UPID is made of times and process ids; tasks of one kind come newest first on both sides.
  if ("upid" in row) return `task=${String(row["type"])} ${String(row["id"])}`
  const key = identity.find((name) => name in row && (name === "time" || !varying.has(name))) ?? ""
  return `${key}=${String(row[key])}`
}

const sorted = (rows: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0))

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 300) ?? "nothing"

/**
 * What differs between a recorded JSON value and a simulated one, as `path: recorded became simulated`: presence and type of
 * every key, and every value that does not vary by nature. Rows of a list are matched whatever their order.
 */
export const differences = (
  renames: Renames,
  recorded: unknown,
  simulated: unknown,
  path: string,
  key = ""
): ReadonlyArray<string> => {
  if (kind(recorded) !== kind(simulated)) return [`${path}: ${shown(recorded)} became ${shown(simulated)}`]
  if (Array.isArray(recorded) && Array.isArray(simulated)) {
    if (varying.has(key)) return []
    if (recorded.length !== simulated.length) return [`${path}: ${recorded.length} rows became ${simulated.length}`]
    const [left, right] = [sorted(recorded), sorted(simulated)]
    return left.flatMap((row, at) => differences(renames, row, right[at], `${path}[${keyOf(row)}]`))
  }
  if (isMembers(recorded) && isMembers(simulated)) {
    // An archive's size depends on its bytes, of which there are none here.
    const ofArchive = /:backup\/|\/dump\//.test(String(recorded["volid"] ?? recorded["path"] ?? ""))
    return Array.from(new Set([...Object.keys(recorded), ...Object.keys(simulated)])).flatMap((name) =>
      !(name in recorded)
        ? [`${path}.${name}: only simulated`]
        : !(name in simulated)
        ? [`${path}.${name}: only recorded`]
        : ofArchive && name === "size"
        ? []
        : differences(renames, recorded[name], simulated[name], `${path}.${name}`, name)
    )
  }
  if (varying.has(key) || isSample(path)) return []
  const [left, right] = [comparable(key, recorded), comparable(key, simulated)]
  const same = typeof left === "string" && typeof right === "string" ? renames.same(left, right) : left === right
  return same ? [] : [`${path}: ${shown(recorded)} became ${shown(simulated)}`]
}
