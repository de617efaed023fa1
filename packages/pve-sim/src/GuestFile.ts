/** One section of a guest's config file: what is in force, one snapshot, or the pending changes. */
export interface GuestSection {
  /** Lines of the `#` comment on top, joined; undefined when there are none. */
  description: string | undefined
  readonly values: Map<string, string>
}

/** A guest's config file under /etc/pve (platform-facts 5.9, 5.10). Mutable: it is the guest's state. */
export interface GuestFile {
  current: GuestSection
  /** Changes that wait for the next start; `delete` is a key of its own in here. */
  pending: Map<string, string>
  readonly snapshots: Map<string, GuestSection>
}

export const emptySection = (): GuestSection => ({ description: undefined, values: new Map() })

const pendingHeader = "pve:pending"

// Everything but printable ASCII is encoded, and `%` and `:` too (platform-facts 5.10).
const encodeLine = (line: string): string =>
  Array.from(new TextEncoder().encode(line), (byte) => {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x25 && byte !== 0x3a
    return plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }).join("")

const decodeLine = (line: string): string => {
  const bytes: Array<number> = []
  for (let i = 0; i < line.length; i++) {
    const escaped = /^%([0-9A-Fa-f]{2})/.exec(line.slice(i, i + 3))?.[1]
    if (escaped === undefined) bytes.push(...new TextEncoder().encode(line.charAt(i)))
    else {
      bytes.push(Number.parseInt(escaped, 16))
      i += 2
    }
  }
  return new TextDecoder().decode(new Uint8Array(bytes))
}

/** Reads the text; a line that is neither `key: value`, comment nor header is dropped, as Proxmox does with a warning. */
export const parseGuestFile = (text: string): GuestFile => {
  const file: GuestFile = { current: emptySection(), pending: new Map(), snapshots: new Map() }
  let section = file.current
  let pending = false
  for (const line of text.split("\n")) {
    const header = /^\[(.+)\]\s*$/.exec(line)?.[1]
    if (header !== undefined) {
      pending = header === pendingHeader
      section = emptySection()
      if (!pending) file.snapshots.set(header, section)
      continue
    }
    if (line.startsWith("#")) {
      section.description = `${section.description === undefined ? "" : `${section.description}\n`}${
        decodeLine(line.slice(1))
      }`
      continue
    }
    const [, key, value] = /^([a-z][a-z0-9_.-]*):\s*(.*?)\s*$/i.exec(line) ?? []
    if (key === undefined || value === undefined) continue
    if (pending) file.pending.set(key, value)
    else section.values.set(key, value)
  }
  return file
}

const renderSection = (section: GuestSection): string => {
  const lines = section.description === undefined ? [] : section.description.split("\n")
  // Perl's split drops empty fields at the end, so trailing newlines never reach the file.
  while (lines.at(-1) === "") lines.pop()
  return lines.map((line) => `#${encodeLine(line)}\n`).join("") + renderValues(section.values)
}

const renderValues = (values: ReadonlyMap<string, string>): string =>
  Array.from(values).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}: ${value}\n`).join("")

/** The text as Proxmox writes it, byte for byte: keys sorted, then pending changes, then the snapshots by name. */
export const renderGuestFile = (file: GuestFile): string => {
  const pending = file.pending.size === 0 ? "" : `\n[${pendingHeader}]\n${renderValues(file.pending)}`
  const snapshots = Array.from(file.snapshots).sort(([a], [b]) => (a < b ? -1 : 1))
  return renderSection(file.current) + pending +
    snapshots.map(([name, section]) => `\n[${name}]\n${renderSection(section)}`).join("")
}
