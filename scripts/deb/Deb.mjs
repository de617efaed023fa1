// Lays a package's files out and has dpkg-deb pack them. The same sources give the same bytes: modes and compression are set here, and
// dpkg-deb sorts, gives all to root, and takes SOURCE_DATE_EPOCH for the time of whatever is younger.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { gzipSync } from "node:zlib"
import { debianChangelog, maintainer } from "./Changelog.mjs"
import { copyright } from "./Licences.mjs"

const kibibyte = 1024

const ran = (command, args, options = {}) => {
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 64 * kibibyte ** 2,
    ...options
  })
  if (error !== undefined) {
    throw new Error(
      error.code === "ENOENT"
        ? `there is no ${command} on this machine: apt install ${command === "dpkg-deb" ? "dpkg" : command}`
        : error.message
    )
  }
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stderr}`)
  return stdout
}

const said = new Map()

/** What a program prints, asked once by whoever packs it several times. */
const printed = (path, shell, modules) => {
  const key = `${path} ${shell}`
  if (!said.has(key)) {
    said.set(key, ran(process.execPath, [path, "--completions", shell], { env: { NODE_PATH: modules } }))
  }
  return said.get(key)
}

/** A file's bytes, as they stand on the host. */
const contentOf = ({ completion, from, gzip = false, program, text }, { dist, modules, name }) => {
  if (completion !== undefined) {
    const script = printed(join(dist, program), completion, modules)
    // The hub's own name is the program's in its help, and the package's on a host.
    return Buffer.from(name === "felhom-hub" ? script.replaceAll(/(?<![\w-])hub(?![\w-])/g, "felhom-hub") : script)
  }
  const content = text === undefined ? readFileSync(from) : Buffer.from(text)
  return gzip ? gzipSync(content, { level: 9 }) : content
}

const modeOf = ({ mode }, path) => mode ?? (path.startsWith("/DEBIAN/") && !path.endsWith("triggers") ? 0o755 : 0o644)

/** A folder and every one below it. */
const foldersOf = (folder) => [
  folder,
  ...readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
]

const lines = (texts) => `${texts.join("\n")}\n`

/** A description in Debian's form: lines of at most 78 characters, each after a blank. */
const described = ([short, ...long]) => {
  const wrapped = []
  for (const word of long.join(" ").split(" ")) {
    const last = wrapped.at(-1)
    if (last === undefined || last.length + word.length > 76) wrapped.push(word)
    else wrapped[wrapped.length - 1] = `${last} ${word}`
  }
  return lines([`Description: ${short}`, ...wrapped.map((line) => ` ${line}`)]).trimEnd()
}

const controlFile = (spec, version, installedKib) =>
  lines([
    `Package: ${spec.name}`,
    `Version: ${version}`,
    `Section: ${spec.section}`,
    "Priority: optional",
    `Architecture: ${spec.architecture}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${installedKib}`,
    `Depends: ${spec.depends.join(", ")}`,
    ...(spec.recommends.length === 0 ? [] : [`Recommends: ${spec.recommends.join(", ")}`]),
    described(spec.description)
  ])

/**
 * Builds one package into a folder, and gives its path. `versions` as `readChangelog` gives them; `seconds` is every file's time; `modules` is
 * where the hub's driver is. */
export const buildDeb = (spec, { dist, modules, out, seconds, versions }) => {
  if (spec.architecture === undefined) throw new Error(`${spec.name}: no native code for ${process.arch} is known here`)
  const [{ version }] = versions
  const tree = mkdtempSync(join(tmpdir(), `${spec.name}-`))
  const documentation = `/usr/share/doc/${spec.name}`
  try {
    const files = {
      ...spec.files,
      [`${documentation}/changelog.gz`]: { text: debianChangelog(spec.name, versions), gzip: true },
      [`${documentation}/copyright`]: { text: copyright(spec.project) },
      ...(spec.overrides === undefined
        ? {}
        : { [`/usr/share/lintian/overrides/${spec.name}`]: { from: spec.overrides } })
    }
    const sums = []
    let bytes = 0
    const put = (path, file, content) => {
      const at = join(tree, path)
      mkdirSync(dirname(at), { recursive: true, mode: 0o755 })
      writeFileSync(at, content)
      chmodSync(at, modeOf(file, path))
    }
    for (const [path, file] of Object.entries(files).sort(([one], [other]) => (one < other ? -1 : 1))) {
      const content = contentOf(file, { dist, modules, name: spec.name })
      put(path, file, content)
      bytes += Math.ceil(content.length / kibibyte) * kibibyte
      // dpkg looks after what a person may change by itself.
      if (file.conffile !== true) sums.push(`${createHash("md5").update(content).digest("hex")}  ${path.slice(1)}`)
    }
    for (const [name, from] of Object.entries(spec.control)) put(`/DEBIAN/${name}`, {}, readFileSync(from))
    const asFile = { mode: 0o644 }
    const conffiles = Object.entries(files).filter(([, { conffile }]) => conffile === true).map(([path]) => path)
    if (conffiles.length > 0) put("/DEBIAN/conffiles", asFile, lines(conffiles))
    put("/DEBIAN/md5sums", asFile, lines(sums))
    put("/DEBIAN/control", asFile, controlFile(spec, version, bytes / kibibyte))
    // Whoever builds may have a umask of their own.
    for (const path of foldersOf(tree)) chmodSync(path, 0o755)
    mkdirSync(out, { recursive: true })
    const deb = join(out, `${spec.name}_${version}_${spec.architecture}.deb`)
    ran("dpkg-deb", ["--root-owner-group", "-Zxz", "--threads-max=1", "--build", tree, deb], {
      env: { PATH: process.env.PATH, SOURCE_DATE_EPOCH: String(seconds), LC_ALL: "C.UTF-8" }
    })
    return deb
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}
