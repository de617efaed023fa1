import { fileSettings, secretSettings } from "@felhom/agent/SettingName"
import { spawn, type SpawnOptions, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const dist = join(root, "dist")
const work = mkdtempSync(join(tmpdir(), "felhom-debs-"))

const program = (name: string): boolean => spawnSync(name, ["--version"]).error === undefined
const builds = program("dpkg-deb")
const unbuilt = builds ? "" : " (not run: there is no dpkg-deb on this machine)"
const lints = builds && program("lintian")
const unlinted = lints ? "" : " (not run: there is no lintian on this machine)"

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Not in the way of others meanwhile: packing and linting take their time. */
const ran = (command: string, args: ReadonlyArray<string>, options: SpawnOptions = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] })
    let [stdout, stderr] = ["", ""]
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("close", (status) => resolve({ status, stdout, stderr }))
  })

/** Packs what was built, as a person would; under another umask and time zone, so that neither gets in. */
const packed = async (folder: string, umask: string, zone: string): Promise<ReadonlyArray<string>> => {
  const command = `umask ${umask}; exec "$0" scripts/build-deb.mjs --dist dist --only felhom-agent --out "$1"`
  const { status, stderr, stdout } = await ran("sh", ["-c", command, process.execPath, join(work, folder)], {
    cwd: root,
    env: { ...process.env, TZ: zone }
  })
  expect(status, stderr).toBe(0)
  return stdout.trim().split("\n")
}

const contents = (deb: string): ReadonlyArray<string> =>
  spawnSync("dpkg-deb", ["--contents", deb], { encoding: "utf8" }).stdout.trim().split("\n")

const control = (deb: string, field: string): string =>
  spawnSync("dpkg-deb", ["--field", deb, field], { encoding: "utf8" }).stdout.trim()

let debs: ReadonlyArray<string> = []

const named = (name: string): string => debs.find((path) => basename(path).startsWith(`${name}_`)) ?? `no ${name}`

beforeAll(async () => {
  if (builds) debs = await packed("one", "022", "UTC")
}, 240_000)

afterAll(() => rmSync(work, { recursive: true, force: true }))

// The agent's alone; npm run try-deb does the same with the others, whose native code takes longer to pack.
describe("the agent's package", { timeout: 240_000 }, () => {
  it.skipIf(!builds)(`is the same bytes whoever builds it, in any time zone${unbuilt}`, async () => {
    const again = await packed("two", "077", "Asia/Tokyo")
    expect(again.map((path) => basename(path))).toEqual(debs.map((path) => basename(path)))
    for (const [at, path] of debs.entries()) {
      expect(readFileSync(path).equals(readFileSync(again[at] ?? "")), basename(path)).toBe(true)
    }
  })

  it.skipIf(!builds)(`is root's to the last file, and writable by nobody else${unbuilt}`, () => {
    for (const deb of debs) {
      for (const line of contents(deb)) expect(line).toMatch(/^[d-]rw[x-]r-[x-]r-[x-] root\/root /)
    }
  })

  it.skipIf(!builds)(
    `brings the agent with all that its units start, and its units with all that they name${unbuilt}`,
    () => {
      const files = contents(named("felhom-agent")).map((line) => line.split(" ./")[1])
      const units = readdirSync(join(root, "packages/privileged/systemd"))
      expect(units.length).toBe(7)
      for (const unit of units) {
        expect(files).toContain(`usr/lib/systemd/system/${unit}`)
        const text = readFileSync(join(root, "packages/privileged/systemd", unit), "utf8")
        for (
          const [, script] of text.matchAll(/^ExecStart=\/usr\/bin\/node .*?\/(usr\/lib\/felhom-agent\/[\w.-]+)/gm)
        ) {
          expect(files, unit).toContain(script)
        }
      }
      for (const part of ["agent/daemon.js", "agent/commands.js", "compile.js", "package.json"]) {
        expect(files).toContain(`usr/lib/felhom-agent/${part}`)
      }
      // Compiled code fits the Node that built it, which is not the host's: the host makes its own.
      expect(files.filter((file) => file?.includes(".cache"))).toEqual([])
      expect([control(named("felhom-agent"), "Depends"), control(named("felhom-agent"), "Recommends")]).toEqual([
        expect.stringContaining("nodejs (>= 20"),
        "smartmontools, lm-sensors"
      ])
    }
  )

  it.skipIf(!lints)(`has nothing that lintian minds, but for what it overrides with a reason${unlinted}`, async () => {
    const args = ["--no-cfg", "--display-info", "--allow-root", "--fail-on", "none", ...debs]
    const { stdout } = await ran("lintian", args)
    expect(stdout).toBe("")
  })
})

describe("the agent's compiled code, made where it is installed", { timeout: 60_000 }, () => {
  it("is used at the next start, and left out where it can't be made", () => {
    expect(existsSync(join(dist, "compile.js")), "npx pnpm build makes the bundles that this test is about").toBe(true)
    const installed = join(work, "installed")
    const files = ["main.js", "compile.js", "package.json", "agent/daemon.js", "agent/commands.js"]
    spawnSync("mkdir", ["-p", join(installed, "agent")])
    for (const file of files) spawnSync("cp", [join(dist, file), join(installed, file)])
    const made = spawnSync(process.execPath, [join(installed, "compile.js")], { encoding: "utf8", env: {} })
    expect([made.status, made.stdout, made.stderr]).toEqual([0, "", ""])
    const asked = spawnSync(process.execPath, [join(installed, "main.js"), "--version"], { encoding: "utf8", env: {} })
    expect(asked.status).toBe(0)
    const record = JSON.parse(readFileSync(join(installed, "agent/daemon.js.cache.json"), "utf8")) as unknown
    expect(record).toMatchObject({ node: process.version, arch: process.arch })
    rmSync(join(installed, "agent"), { recursive: true })
    const failed = spawnSync(process.execPath, [join(installed, "compile.js")], { encoding: "utf8", env: {} })
    expect(failed.status).not.toBe(0)
  })
})

describe("the agent's manual page", () => {
  const page = readFileSync(join(root, "packages/agent/debian/felhom-agent.8"), "utf8").replaceAll("\\-", "-")

  it("has every setting, and every secret's variable", () => {
    for (const [place, name] of Object.entries(fileSettings)) {
      expect(page, place).toContain(`.BR ${place} ", " FELHOM_AGENT_${name}`)
    }
    for (const name of Object.values(secretSettings)) expect(page).toContain(`FELHOM_AGENT_${name}`)
  })

  it("has every command that the agent knows", () => {
    const { stdout } = spawnSync(process.execPath, [join(dist, "main.js"), "--help"], { encoding: "utf8", env: {} })
    const commands = [...stdout.matchAll(/^ {2}- ([a-z]+)/gm)].map(([, command]) => command)
    expect(new Set(commands).size).toBeGreaterThan(8)
    for (const command of new Set(commands)) {
      expect(page, command).toMatch(new RegExp(`^\\.BR? .*\\b${command}\\b`, "m"))
    }
  })
})
