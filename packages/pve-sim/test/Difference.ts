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
  "upid",
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
  "upid",
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
  "n"
]

type Members = { readonly [key: string]: unknown }

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const kind = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "array" : typeof value

// A storage's content comes in any order (platform-facts 7.2).
const comparable = (key: string, value: unknown): unknown =>
  key === "content" && typeof value === "string" ? value.split(",").sort().join(",") : value

const keyOf = (row: unknown): string => {
  if (!isMembers(row)) return JSON.stringify(row)
  const key = identity.find((name) => name in row && !varying.has(name)) ?? ""
  return `${key}=${String(row[key])}`
}

const sorted = (rows: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0))

/**
 * What differs between a recorded JSON value and a simulated one, as `path: recorded, simulated`: presence and type of every
 * key, and every value that does not vary by nature. Rows of a list are matched whatever their order.
 */
export const differences = (recorded: unknown, simulated: unknown, path = "", key = ""): ReadonlyArray<string> => {
  if (kind(recorded) !== kind(simulated)) {
    return [`${path}: ${JSON.stringify(recorded)?.slice(0, 80)} became ${JSON.stringify(simulated)?.slice(0, 80)}`]
  }
  if (Array.isArray(recorded) && Array.isArray(simulated)) {
    if (varying.has(key)) return []
    if (recorded.length !== simulated.length) return [`${path}: ${recorded.length} rows became ${simulated.length}`]
    const [left, right] = [sorted(recorded), sorted(simulated)]
    return left.flatMap((row, at) => differences(row, right[at], `${path}[${keyOf(row)}]`))
  }
  if (isMembers(recorded) && isMembers(simulated)) {
    return Array.from(new Set([...Object.keys(recorded), ...Object.keys(simulated)])).flatMap((name) =>
      !(name in recorded)
        ? [`${path}.${name}: only simulated`]
        : !(name in simulated)
        ? [`${path}.${name}: only recorded`]
        : differences(recorded[name], simulated[name], `${path}.${name}`, name)
    )
  }
  return varying.has(key) || comparable(key, recorded) === comparable(key, simulated)
    ? []
    : [`${path}: ${JSON.stringify(recorded)} became ${JSON.stringify(simulated)}`]
}
