// What a bundle has of others, and under which terms: every package that its own package depends on, by the files in node_modules.
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

/** Where a package finds another, as Node looks for it. */
const folderOf = (from, name) => {
  for (let at = from; at !== dirname(at); at = dirname(at)) {
    const folder = join(at, "node_modules", name)
    if (existsSync(join(folder, "package.json"))) return realpathSync(folder)
  }
  return undefined
}

const textOf = (folder) => {
  const file = readdirSync(folder).find((name) => /^licen[cs]e(\.md|\.txt)?$/i.test(name))
  return file === undefined ? undefined : readFileSync(join(folder, file), "utf8").trim()
}

/** Name -> `{ version, licence, text }` of all that a package of this workspace stands on, itself and its neighbours left out. */
export const licences = (start) => {
  const found = new Map()
  const seen = new Set()
  const visit = (folder) => {
    if (seen.has(folder)) return
    seen.add(folder)
    const { dependencies = {}, license = "unknown", name, version } = manifestOf(folder)
    if (!name.startsWith("@felhom/")) found.set(name, { version, licence: license, text: textOf(folder) })
    for (const needed of Object.keys(dependencies)) {
      const next = folderOf(folder, needed)
      // Optional, and not for this platform.
      if (next !== undefined) visit(next)
    }
  }
  visit(start)
  return new Map([...found].sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** Debian has this one's text on every machine. */
const apache = "On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0."

const indented = (text) => text.split("\n").map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`)).join("\n")

/** The copyright file of a package (Debian's machine-readable form). */
export const copyright = (start) => {
  const byText = new Map()
  for (const [name, { licence, text, version }] of licences(start)) {
    const key = licence === "Apache-2.0" ? apache : text ?? `(its package holds no text of it; it names: ${licence})`
    const names = byText.get(key)?.names ?? []
    byText.set(key, { licence, names: [...names, `${name} ${version}`] })
  }
  return [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    "Upstream-Name: felhom-agent",
    "Comment: the programs are bundles; each holds parts of the packages that are named below, under the terms that stand there.",
    "",
    "Files: *",
    "Copyright: 2026 the authors of felhom-agent",
    "License: proprietary",
    " All rights reserved. To be used by those whom the authors gave it to, as they agreed.",
    "",
    ...[...byText].flatMap(([text, { licence, names }], at) => [
      `Files: ${names.map((name) => `node_modules/${name.replace(/ [^ ]+$/, "")}/*`).join(" ")}`,
      `Copyright: see below (${names.join(", ")})`,
      `License: ${String(licence).replace(/[^\w.+-]/g, "-")}-${at + 1}`,
      indented(text),
      ""
    ])
  ].join("\n")
}
