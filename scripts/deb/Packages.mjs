// What each package holds. `files`: path on the host -> what it is made of; a shell script or program is 0755, all else 0644.
import { readdirSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"

const architectures = { x64: "amd64", arm64: "arm64" }

/** All files below a folder, by their path in it. */
const below = (folder, skip = () => false) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !skip(path))

const folderFiles = (folder, to, skip) =>
  Object.fromEntries(below(folder, skip).map((path) => [join(to, path), { from: join(folder, path) }]))

const docs = (root, to, names) =>
  Object.fromEntries(names.map((name) => [join(to, name), { from: join(root, "docs", name) }]))

/** Completions of one program, for the three shells that Debian keeps a folder for. */
const completions = (name, program) => ({
  [`/usr/share/bash-completion/completions/${name}`]: { completion: "bash", program },
  [`/usr/share/zsh/vendor-completions/_${name}`]: { completion: "zsh", program },
  [`/usr/share/fish/vendor_completions.d/${name}.fish`]: { completion: "fish", program }
})

const scripts = (folder, names) => Object.fromEntries(names.map((name) => [name, join(folder, name)]))

const agent = ({ dist, root }) => {
  const folder = join(root, "packages/agent/debian")
  const library = "/usr/lib/felhom-agent"
  const units = join(root, "packages/privileged/systemd")
  const programs = [
    "main.js",
    "agent/daemon.js",
    "agent/commands.js",
    "compile.js",
    "package.json",
    ...readdirSync(dist).filter((name) => /^root-.*\.js$/.test(name))
  ]
  return {
    name: "felhom-agent",
    architecture: "all",
    section: "admin",
    depends: ["nodejs (>= 20.19)", "systemd", "init-system-helpers (>= 1.54)"],
    recommends: ["smartmontools", "lm-sensors"],
    description: [
      "looks after one Proxmox VE host",
      "It tells a hub how the host is, keeps guests as files of an operator's say that they should be, and does what operators signed for.",
      "It runs as a user of its own without any capability; three small programs of root's answer one question each."
    ],
    project: join(root, "packages/agent"),
    control: { ...scripts(folder, ["postinst", "prerm", "postrm", "triggers"]) },
    files: {
      "/usr/bin/felhom-agent": { from: join(folder, "felhom-agent"), mode: 0o755 },
      ...Object.fromEntries(programs.map((name) => [join(library, name), { from: join(dist, name) }])),
      ...folderFiles(units, "/usr/lib/systemd/system"),
      "/usr/lib/sysusers.d/felhom-agent.conf": { from: join(folder, "sysusers.conf") },
      "/usr/lib/tmpfiles.d/felhom-agent.conf": { from: join(folder, "tmpfiles.conf") },
      "/usr/share/man/man8/felhom-agent.8.gz": { from: join(folder, "felhom-agent.8"), gzip: true },
      "/usr/share/doc/felhom-agent/examples/config.json": { from: join(folder, "config.json") },
      "/usr/share/doc/felhom-agent/examples/provision-token": {
        from: join(root, "scripts/provision-token"),
        mode: 0o755
      },
      ...docs(
        root,
        "/usr/share/doc/felhom-agent",
        readdirSync(join(root, "docs")).filter((name) => name !== "performance.md")
      ),
      ...completions("felhom-agent", "main.js")
    },
    overrides: join(folder, "lintian-overrides")
  }
}

const hub = ({ dist, root }) => {
  const folder = join(root, "packages/hub/debian")
  const library = "/usr/lib/felhom-hub"
  const driver = realpathSync(join(root, "node_modules/libsql"))
  const beside = dirname(driver)
  const native = `@libsql/linux-${process.arch}-gnu`
  const unneeded = (path) => /\.(d\.ts|md|map)$|^types\/|^test|^LICEN/.test(path)
  return {
    name: "felhom-hub",
    architecture: architectures[process.arch],
    section: "admin",
    depends: ["nodejs (>= 20.19)", "libc6 (>= 2.28)", "libgcc-s1", "systemd", "init-system-helpers (>= 1.54)"],
    recommends: [],
    description: [
      "takes reports of felhom-agent hosts",
      "Hosts report to it, and operators ask it with felhom. It hands on what operators signed and holds no key that a host obeys.",
      "The store is one SQLite file, whose driver (libsql) comes along as native code."
    ],
    project: join(root, "packages/hub"),
    control: { ...scripts(folder, ["postinst", "prerm", "postrm"]) },
    files: {
      "/etc/felhom-hub/environment": { from: join(folder, "environment"), conffile: true },
      "/usr/bin/felhom-hub": { from: join(folder, "felhom-hub"), mode: 0o755 },
      ...Object.fromEntries(
        ["hub.js", "hub-writer.mjs", "package.json"].map((name) => [join(library, name), { from: join(dist, name) }])
      ),
      ...folderFiles(driver, join(library, "node_modules/libsql"), unneeded),
      ...Object.fromEntries(
        ["@neon-rs/load", "detect-libc", native].flatMap((name) =>
          Object.entries(folderFiles(realpathSync(join(beside, name)), join(library, "node_modules", name), unneeded))
        )
      ),
      "/usr/lib/systemd/system/felhom-hub.service": { from: join(root, "packages/hub/systemd/felhom-hub.service") },
      "/usr/lib/sysusers.d/felhom-hub.conf": { from: join(folder, "sysusers.conf") },
      "/usr/lib/tmpfiles.d/felhom-hub.conf": { from: join(folder, "tmpfiles.conf") },
      "/usr/share/man/man8/felhom-hub.8.gz": { from: join(folder, "felhom-hub.8"), gzip: true },
      ...docs(root, "/usr/share/doc/felhom-hub", ["RUNBOOK-hub.md", "RUNBOOK-enrolment.md"]),
      ...completions("felhom-hub", "hub.js")
    },
    overrides: join(folder, "lintian-overrides")
  }
}

const operator = ({ dist, root }) => {
  const folder = join(root, "packages/operator/debian")
  return {
    name: "felhom",
    architecture: "all",
    section: "admin",
    depends: ["nodejs (>= 20.19)", "openssh-client"],
    recommends: [],
    description: [
      "command line of those who operate felhom-agent hosts",
      "It asks a hub what hosts say, checks that they said it, publishes what guests should be, and has ssh-keygen sign what destroys.",
      "It belongs on an operator's own machine, not on a host."
    ],
    project: join(root, "packages/operator"),
    control: {},
    files: {
      "/usr/bin/felhom": { from: join(folder, "felhom"), mode: 0o755 },
      ...Object.fromEntries(
        ["felhom.js", "package.json"].map((name) => [join("/usr/lib/felhom", name), { from: join(dist, name) }])
      ),
      "/usr/share/man/man1/felhom.1.gz": { from: join(folder, "felhom.1"), gzip: true },
      ...docs(root, "/usr/share/doc/felhom", [
        "RUNBOOK-operations.md",
        "RUNBOOK-enrolment.md",
        "desired-state-files.md"
      ]),
      ...completions("felhom", "felhom.js")
    }
  }
}

/** All packages, made of what stands in `dist`. */
export const packages = (places) => [agent, hub, operator].map((make) => make(places))
