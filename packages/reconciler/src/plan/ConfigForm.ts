import { trimDescription } from "@felhom/domain/GuestConfig"

/**
 * What a configuration's value says, whatever way it is written: two values that Proxmox takes for the same have the same form.
 * What Proxmox leaves away has the form of its default.
 */
export type Form = (raw: unknown) => string

const plain = (raw: unknown): string | undefined =>
  typeof raw === "string" ? raw : typeof raw === "number" || typeof raw === "boolean" ? String(raw) : undefined

const on: ReadonlySet<string> = new Set(["1", "on", "yes", "true"])
const off: ReadonlySet<string> = new Set(["0", "off", "no", "false", ""])

export const onOff: Form = (raw) => {
  const word = (plain(raw) ?? "").trim().toLowerCase()
  return on.has(word) ? "1" : off.has(word) ? "0" : word
}

/** A number, as a number or as text; `otherwise` where there is none. */
export const numeric = (otherwise: string): Form => (raw) => {
  const text = plain(raw)?.trim()
  if (text === undefined || text === "") return otherwise
  const value = Number(text)
  return Number.isFinite(value) ? String(value) : text
}

/** Of virtual machines it may be written `current=2048`. */
export const memory: Form = (raw) => numeric("512")(plain(raw)?.replace(/^current=/, ""))

/** As it was written, nothing where there is none. */
export const text: Form = (raw) => plain(raw) ?? ""

/** Each line comes back with a newline of its own (platform-facts 5.10). Proxmox decodes the rest before it answers. */
export const description: Form = (raw) => trimDescription(text(raw))

/** A set, in lower case; sorted, as Proxmox keeps it (platform-facts 1.10). */
export const tags: Form = (raw) => {
  const found = text(raw).toLowerCase().split(tagSeparators)
  return isSet(found) ? found.join(";") : [...new Set(found.filter((tag) => tag !== ""))].sort().join(";")
}

const tagSeparators = /[,; ]+/

/** Whether these stand as Proxmox writes a set: in order, each once, none of them empty. */
const isSet = (tags: ReadonlyArray<string>): boolean => {
  let before = ""
  for (const tag of tags) {
    if (tag <= before) return false
    before = tag
  }
  return true
}

/** A list whose order counts. */
export const list: Form = (raw) => text(raw).split(/[,; \0]+/).filter((part) => part !== "").join(" ")
