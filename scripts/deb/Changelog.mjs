// The project's changelog, as Debian's tools read one (deb-changelog(5)).
import { readFileSync } from "node:fs"

const maintainer = "felhom <agent@felhom.eu>"
const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** Seconds since the epoch of a `2026-11-22`, at midnight UTC. */
const secondsOf = (day) => Date.parse(`${day}T00:00:00Z`) / 1000

/** A time as in a mail's header, always in UTC. */
const mailDate = (seconds) => {
  const at = new Date(seconds * 1000)
  const two = (number) => String(number).padStart(2, "0")
  const day = `${weekdays[at.getUTCDay()]}, ${two(at.getUTCDate())} ${months[at.getUTCMonth()]} ${at.getUTCFullYear()}`
  return `${day} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:00 +0000`
}

const plain = (text) => text.replace(/\*\*|`/g, "").replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")

/** Words in lines that are short enough for lintian, after the two columns that an entry's text is indented by. */
const wrapped = (text) => {
  const lines = [""]
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== "" && last.length + word.length > 72) lines.push(word)
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`
  }
  return lines
}

/** The versions in CHANGELOG.md, newest first: `{ version, seconds, entries }`. */
export const readChangelog = (path) => {
  const [, ...parts] = readFileSync(path, "utf8").split(/^## /m)
  const older = new Map()
  return parts.toReversed().map((part) => {
    const [heading, ...lines] = part.split("\n")
    const [, version, day] = /^(\S+) - (\d{4}-\d{2}-\d{2})$/.exec(heading) ?? []
    if (version === undefined) throw new Error(`${path}: "## ${heading}" is no "## VERSION - YYYY-MM-DD"`)
    const entries = lines.join("\n").split(/^- |\n\n/m).map((text) => plain(text.trim())).filter((text) => text !== "")
    // A day may have several; each is a minute later than the one before, as Debian wants later ones to be.
    const before = older.get(day) ?? 0
    older.set(day, before + 1)
    return { version, seconds: secondsOf(day) + before * 60, entries }
  }).toReversed()
}

/** The changelog of one package. */
export const debianChangelog = (name, versions) =>
  versions.map(({ entries, seconds, version }) =>
    [
      `${name} (${version}) trixie; urgency=medium`,
      "",
      ...entries.flatMap((entry) => wrapped(entry).map((line, at) => `${at === 0 ? "  * " : "    "}${line}`)),
      "",
      ` -- ${maintainer}  ${mailDate(seconds)}`,
      ""
    ].join("\n")
  ).join("\n")

export { maintainer }
