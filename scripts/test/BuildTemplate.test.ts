import { describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, expect } from "vitest"

const program = join(import.meta.dirname, "../build-template")
const folder = mkdtempSync(join(tmpdir(), "felhom-template-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (...args: ReadonlyArray<string>) =>
  spawnSync(program, args, { cwd: folder, encoding: "utf8", env: { PATH: process.env["PATH"] } })

/** A program's first bytes, for this machine. */
const elf = (machine: number): Buffer => {
  const bytes = Buffer.alloc(64)
  bytes.write("\x7fELF", 0, "latin1")
  bytes.writeUInt16LE(machine, 18)
  return bytes
}

const amd64 = 0x3e
const arm64 = 0xb7

/** What there has to be of a root file system, and what no two machines may share; `seconds`: when it was unpacked. */
const makeRoot = (name: string, machine = amd64, seconds = 1_700_000_000): string => {
  const root = join(folder, name)
  const files: { readonly [path: string]: string | Buffer } = {
    "usr/bin/dash": elf(machine),
    "usr/lib/systemd/systemd": elf(machine),
    "etc/hostname": "template\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/ssh/ssh_host_ed25519_key": "a secret that every guest would share\n",
    "etc/ssh/sshd_config": "UsePAM yes\n",
    "var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef\n"
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
    utimesSync(join(root, path), seconds, seconds)
  }
  for (const path of ["usr/bin/dash", "usr/lib/systemd/systemd"]) chmodSync(join(root, path), 0o755)
  return root
}

const list = (file: string): string =>
  spawnSync("tar", ["--numeric-owner", "--full-time", "--utc", "-tvf", file], { cwd: folder, encoding: "utf8" }).stdout

const contentOf = (file: string, path: string): string =>
  spawnSync("tar", ["-xOf", file, path], { cwd: folder, encoding: "utf8" }).stdout

describe("scripts/build-template", () => {
  it("puts the first boot into a root, and takes out what no two guests may share", () => {
    const { status, stderr, stdout } = run(makeRoot("one"), "one_1_amd64.tar.gz", "--all-root")
    expect([status, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/^one_1_amd64\.tar\.gz: \d+ bytes, SHA-256 [0-9a-f]{64}\n$/)
    const listed = list("one_1_amd64.tar.gz")
    expect(listed).toContain("./etc/felhom/golden-build")
    for (const one of ["golden-build", "first-boot"]) {
      expect(listed).toMatch(new RegExp(`-rwxr-xr-x 0/0 .* \\./usr/lib/felhom/${one}\n`))
      expect(listed).toContain(
        `./etc/systemd/system/multi-user.target.wants/felhom-${one}.service -> /usr/lib/systemd/system/felhom-${one}.service`
      )
      expect(contentOf("one_1_amd64.tar.gz", `./usr/lib/systemd/system/felhom-${one}.service`)).toContain(
        `ExecStart=/usr/lib/felhom/${one}`
      )
    }
    expect(listed).toContain("./etc/ssh/sshd_config")
    expect(listed).not.toContain("ssh_host_")
    expect(listed).not.toContain("dbus/machine-id")
    expect(contentOf("one_1_amd64.tar.gz", "./etc/machine-id")).toBe("")
  })

  it("makes the same bytes of the same root, whenever it was unpacked, and of a template that it made before", () => {
    run(makeRoot("early", amd64, 1_600_000_000), "early_1_amd64.tar.gz", "--all-root")
    run(makeRoot("late", amd64, 1_700_000_000), "late_1_amd64.tar.gz", "--all-root")
    run("late_1_amd64.tar.gz", "again_1_amd64.tar.gz", "--all-root")
    const bytes = readFileSync(join(folder, "early_1_amd64.tar.gz"))
    expect(readFileSync(join(folder, "late_1_amd64.tar.gz")).equals(bytes)).toBe(true)
    expect(readFileSync(join(folder, "again_1_amd64.tar.gz")).equals(bytes)).toBe(true)
    const lines = list("early_1_amd64.tar.gz").trimEnd().split("\n")
    expect(lines.every((line) => / 0\/0 /.test(line) && line.includes("1970-01-01 00:00:00"))).toBe(true)
    const names = lines.map((line) => line.replace(/^.* (\.\/\S*)(?: -> .*)?$/, "$1"))
    expect(names.indexOf("./etc/")).toBeLessThan(names.indexOf("./usr/"))
  })

  it("lays the files of a tree over the root", () => {
    mkdirSync(join(folder, "tree/etc/felhom/golden.d"), { recursive: true })
    writeFileSync(join(folder, "tree/etc/felhom/golden.d/10-docker"), "#!/bin/sh\n", { mode: 0o755 })
    expect(run(makeRoot("with"), "with_1_amd64.tar.gz", "--all-root", "--tree", "tree").status).toBe(0)
    expect(list("with_1_amd64.tar.gz")).toContain("./etc/felhom/golden.d/10-docker")
  })

  it("refuses what would not boot, or says that it is something else, and writes nothing", () => {
    const root = makeRoot("good")
    const foreign = makeRoot("foreign", arm64)
    const bare = makeRoot("bare")
    rmSync(join(bare, "usr/lib/systemd/systemd"))
    const odd = makeRoot("odd", 0x1234)
    const linked = makeRoot("linked")
    symlinkSync("/tmp", join(linked, "etc/felhom"))
    writeFileSync(join(folder, "no-archive"), "what is this")
    const refusals: ReadonlyArray<readonly [args: ReadonlyArray<string>, status: number, why: string]> = [
      [[foreign, "x_1_amd64.tar.gz"], 1, `${foreign} is for arm64, and x_1_amd64.tar.gz says amd64`],
      [[odd, "x_1_amd64.tar.gz"], 1, "nobody can tell what machine its programs are for"],
      [[bare, "x_1_amd64.tar.gz"], 1, `${bare} has no systemd in it, which runs the first boot; add it`],
      [[linked, "x_1_amd64.tar.gz"], 1, `${linked}: etc/felhom is a link, where a folder is needed`],
      [["gone", "x_1_amd64.tar.gz"], 1, "there is no gone"],
      [["no-archive", "x_1_amd64.tar.gz"], 1, "no-archive could not be unpacked"],
      [[root, "x.tar.gz"], 2, "x.tar.gz: a template is called NAME_VERSION_ARCH.tar.zst or .tar.gz"],
      [[root, "../x_1_amd64.zip"], 2, "a template is called NAME_VERSION_ARCH.tar.zst or .tar.gz"],
      [[root], 2, "what is it to be made from, and where to?"],
      [[root, "x_1_amd64.tar.gz", "more"], 2, "more is one argument too many"],
      [[root, "x_1_amd64.tar.gz", "--what"], 2, "there is no option --what"],
      [[root, "x_1_amd64.tar.gz", "--tree", "gone"], 2, "--tree gone: there is no such folder"]
    ]
    for (const [args, expected, why] of refusals) {
      const { status, stderr, stdout } = run(...args, "--all-root")
      expect([status, stdout], args.join(" ")).toEqual([expected, ""])
      expect(stderr, args.join(" ")).toContain(`build-template: ${why.startsWith(args[0] ?? "") ? why : ""}`)
      expect(stderr, args.join(" ")).toContain(why)
    }
    expect(spawnSync("ls", [folder], { encoding: "utf8" }).stdout).not.toContain("x_1_amd64.tar.gz")
  })
})

describe("a root with links that lead out of it", () => {
  it("is refused, and what they lead to stays", () => {
    const ours = join(folder, "ours")
    for (
      const path of ["ssh_host_ed25519_key", "dbus/machine-id", "lib/dbus/machine-id", "random-seed", "machine-id"]
    ) {
      mkdirSync(dirname(join(ours, path)), { recursive: true })
      writeFileSync(join(ours, path), "this machine's own")
    }
    const contents = (): string => spawnSync("find", [ours, "-type", "f"], { encoding: "utf8" }).stdout
    const before = contents()
    for (const path of ["etc/ssh", "var", "var/lib", "var/lib/dbus", "var/lib/systemd"]) {
      const root = makeRoot(`leads-out-${path.replaceAll("/", "-")}`)
      rmSync(join(root, path), { recursive: true, force: true })
      symlinkSync(ours, join(root, path))
      const { status, stderr } = run(root, "out_1_amd64.tar.gz", "--all-root")
      expect([path, status, stderr]).toEqual([
        path,
        1,
        expect.stringContaining(`${path} is a link, where a folder is needed`)
      ])
    }
    expect(contents()).toBe(before)
  })

  it("is not written through by a tree that is laid over it", () => {
    const ours = join(folder, "ours-too")
    writeFileSync(ours, "this machine's own")
    const root = makeRoot("written-through")
    symlinkSync(ours, join(root, "etc/motd"))
    mkdirSync(join(folder, "over/etc"), { recursive: true })
    writeFileSync(join(folder, "over/etc/motd"), "the image's")
    expect(run(root, "over_1_amd64.tar.gz", "--all-root", "--tree", "over").status).toBe(0)
    expect(readFileSync(ours, "utf8")).toBe("this machine's own")
    expect(contentOf("over_1_amd64.tar.gz", "./etc/motd")).toBe("the image's")
  })
})

describe("the scripts of the first boot", () => {
  const inside = (script: string, root: string) =>
    spawnSync(join(import.meta.dirname, "../template", script), [root], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"] }
    })

  it("leave an image without keys and without an id, whose guests are not built once more", () => {
    const root = makeRoot("booted")
    mkdirSync(join(root, "etc/felhom/golden.d"), { recursive: true })
    writeFileSync(join(root, "etc/felhom/golden-build"), "")
    writeFileSync(join(root, "etc/felhom/golden.d/10-mark"), `#!/bin/sh\ntouch ${root}/etc/marked\n`, { mode: 0o755 })
    expect(inside("golden-build", root)).toMatchObject({ status: 0, stderr: "" })
    const left = spawnSync("find", ["etc", "var", "-type", "f"], { cwd: root, encoding: "utf8" }).stdout.trim().split(
      "\n"
    )
    expect(left.toSorted()).toEqual([
      "etc/felhom/golden.d/10-mark",
      "etc/hostname",
      "etc/machine-id",
      "etc/marked",
      "etc/ssh/sshd_config"
    ])
    expect(readFileSync(join(root, "etc/machine-id"), "utf8")).toBe("")
  })

  it("stop where a part of the build fails, so that the container stays on and is no image", () => {
    const root = makeRoot("failing")
    mkdirSync(join(root, "etc/felhom/golden.d"), { recursive: true })
    writeFileSync(join(root, "etc/felhom/golden-build"), "")
    writeFileSync(join(root, "etc/felhom/golden.d/10-fails"), "#!/bin/sh\nexit 3\n", { mode: 0o755 })
    expect(inside("golden-build", root).status).toBe(3)
    expect(readFileSync(join(root, "etc/felhom/golden-build"), "utf8")).toBe("")
  })
})
