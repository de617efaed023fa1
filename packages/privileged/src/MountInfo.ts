/** A mount as the kernel tells it. */
export interface MountEntry {
  readonly mountPoint: string
  /** The device's path for a disk; else whatever its file system calls it. */
  readonly source: string
  readonly fstype: string
  /** This mount's own, such as `nosuid`. */
  readonly options: ReadonlyArray<string>
}

// The kernel writes space, tab, newline and backslash in octal (proc(5)); each stands for one byte of UTF-8.
const unescaped = (field: string): string =>
  field.replace(/\\(0[0-7]{2}|1[0-7]{2})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

const entryOf = (line: string): MountEntry | undefined => {
  const [own = "", beyond] = line.split(" - ", 2)
  const [, , , , mountPoint, options] = own.split(" ")
  const [fstype, source] = beyond?.split(" ") ?? []
  return mountPoint === undefined || options === undefined || fstype === undefined || source === undefined
    ? undefined
    : { mountPoint: unescaped(mountPoint), source: unescaped(source), fstype, options: options.split(",") }
}

/** Reads `/proc/self/mountinfo`. A line that is not one is passed over: none of ours can be. */
export const parseMountInfo = (text: string): ReadonlyArray<MountEntry> =>
  text.split("\n").flatMap((line) => entryOf(line) ?? [])
