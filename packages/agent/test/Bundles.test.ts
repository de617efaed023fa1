import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { version } from "@felhom/domain/Version"
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"

const root = join(import.meta.dirname, "../../..")
const dist = join(root, "dist")

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

type Environment = { readonly [name: string]: string }

const spawned = (folder: string, bundle: string, args: ReadonlyArray<string>, environment: Environment): ChildProcess =>
  spawn(process.execPath, [join(folder, bundle), ...args], {
    cwd: folder,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"]
  })

/** Runs a bundle to its end, in an environment that holds nothing but what is given. */
const run = (folder: string, bundle: string, args: ReadonlyArray<string>, environment: Environment = {}) =>
  Effect.async<Ended>((resume) => {
    const child = spawned(folder, bundle, args, environment)
    let stdout = ""
    let stderr = ""
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Starts a bundle that goes on running, and waits until it has written a text. */
const start = (
  folder: string,
  bundle: string,
  args: ReadonlyArray<string>,
  environment: Environment,
  stream: "stdout" | "stderr",
  text: string
): Effect.Effect<{ readonly child: ChildProcess; readonly written: string }, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => spawned(folder, bundle, args, environment)),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) =>
      Effect.async((resume) => {
        let written = ""
        child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
          written += chunk
          if (written.includes(text)) resume(Effect.succeed({ child, written }))
        })
      })
  )

const exitOf = (child: ChildProcess) =>
  Effect.async<number | null>((resume) => {
    if (child.exitCode === null) child.once("exit", (code) => resume(Effect.succeed(code)))
    else resume(Effect.succeed(child.exitCode))
  })

/** The bundles alone in a folder, as on a host: no node_modules anywhere above it. */
const alone = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "felhom-bundles-" })
  for (const name of ["main.js", "agent", "hub.js", "hub-writer.mjs", "felhom.js", "pve-sim.js", "package.json"]) {
    yield* fs.copy(join(dist, name), join(folder, name))
  }
  return folder
})

const secret = "11111111-2222-3333-4444-555555555555"
const tokenId = "felhom-agent@pve!agent"

const Ready = Schema.parseJson(Schema.Struct({
  url: Schema.String,
  control: Schema.String,
  certificates: Schema.Struct({ original: Schema.Struct({ leaf: Schema.String }) })
}))

const Result = Schema.parseJson(Schema.Struct({
  passed: Schema.Boolean,
  checks: Schema.Array(Schema.Struct({ name: Schema.String, outcome: Schema.String, detail: Schema.String }))
}))

const Findings = Schema.parseJson(Schema.Struct({
  checks: Schema.Array(Schema.Struct({ name: Schema.String, outcome: Schema.String, detail: Schema.String }))
}))

/** A simulated host of its own, and the environment of an agent for it. */
const simulatedHost = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* alone
  const tokens = join(folder, "tokens.json")
  yield* fs.writeFileString(tokens, JSON.stringify({ [tokenId]: secret }), { mode: 0o600 })
  const args = ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--tokens", tokens, "--speed", "20"]
  const { written } = yield* start(folder, "pve-sim.js", args, {}, "stdout", "\n")
  const ready = yield* Schema.decode(Ready)(written.split("\n")[0] ?? "")
  return {
    folder,
    control: ready.control,
    environment: {
      FELHOM_AGENT_PROXMOX_URL: ready.url,
      FELHOM_AGENT_PROXMOX_NODE: "demo-felhom",
      FELHOM_AGENT_PROXMOX_FINGERPRINT: ready.certificates.original.leaf,
      FELHOM_AGENT_PROXMOX_TOKEN_ID: tokenId,
      FELHOM_AGENT_PROXMOX_TOKEN: secret,
      FELHOM_AGENT_STATE_DIR: join(folder, "state"),
      FELHOM_AGENT_RUNTIME_DIR: join(folder, "run")
    }
  }
})

const hubEnvironment = {
  FELHOM_AGENT_HUB_URL: "https://127.0.0.1:9",
  FELHOM_AGENT_HUB_FINGERPRINT: "00".repeat(32),
  FELHOM_AGENT_HUB_TOKEN: "felhom_host_nothing"
}

describe("the bundles", { timeout: 60_000 }, () => {
  it.scopedLive("run with nothing beside them", () =>
    Effect.gen(function*() {
      expect(existsSync(join(dist, "main.js")), "npx pnpm build makes the bundles that this test is about").toBe(true)
      const folder = yield* alone
      for (const name of ["main.js", "felhom.js", "pve-sim.js"]) {
        const { code, stdout } = yield* run(folder, name, ["--version"])
        expect([name, code, stdout.trim()]).toEqual([name, 0, version])
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("need only the SQL driver beside the hub", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* alone
      yield* fs.makeDirectory(join(folder, "node_modules"))
      yield* fs.symlink(join(root, "node_modules/libsql"), join(folder, "node_modules/libsql"))
      const args = ["token", "create", "--data", join(folder, "hub"), "--role", "viewer", "--label", "test"]
      const { code, stdout } = yield* run(folder, "hub.js", args)
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^felhom_viewer_[\w-]{43}\n$/)])
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("the agent's compiled code", { timeout: 60_000 }, () => {
  const note = (stdout: string) =>
    Effect.map(Schema.decode(Findings)(stdout), ({ checks }) => checks.find(({ name }) => name === "start"))

  /** Another Node than the one that built may run these tests: to it, that is what is wrong with the compiled code. */
  const unlessOtherNode = (folder: string, expected: object) =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const record = yield* fs.readFileString(join(folder, "agent/daemon.js.cache.json"))
      const { node } = yield* Schema.decode(Schema.parseJson(Schema.Struct({ node: Schema.String })))(record)
      return node === process.version
        ? expected
        : { outcome: "note", detail: expect.stringContaining(`made for Node ${node}`) }
    })

  it.scopedLive("is used where the folder is copied to, and read-only", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { environment, folder } = yield* simulatedHost
      const expected = yield* unlessOtherNode(folder, { outcome: "passed" })
      yield* fs.chmod(join(folder, "agent"), 0o555)
      const { stdout } = yield* run(folder, "main.js", ["doctor", "--output", "json"], environment)
      yield* fs.chmod(join(folder, "agent"), 0o755)
      expect(yield* note(stdout)).toMatchObject(expected)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("is left alone when it is damaged or Node has other flags: the daemon starts all the same", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { environment, folder } = yield* simulatedHost
      const flags = { ...environment, NODE_OPTIONS: "--max-old-space-size=300" }
      const other = yield* run(folder, "main.js", ["doctor", "--output", "json"], flags)
      const unfit = { outcome: "note", detail: expect.stringContaining("flags") }
      expect(yield* note(other.stdout)).toMatchObject(yield* unlessOtherNode(folder, unfit))
      const cache = join(folder, "agent/daemon.js.cache")
      const bytes = yield* fs.readFile(cache)
      yield* fs.writeFile(cache, bytes.map((byte, index) => (index > 4000 && index % 97 === 0 ? byte ^ 0xff : byte)))
      const damaged = yield* run(folder, "main.js", ["doctor", "--output", "json"], environment)
      const broken = { outcome: "note", detail: expect.stringContaining(cache) }
      expect(yield* note(damaged.stdout)).toMatchObject(yield* unlessOtherNode(folder, broken))
      const daemon = yield* run(folder, "main.js", ["daemon"])
      expect(daemon.code).toBe(2)
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("felhom-agent", { timeout: 60_000 }, () => {
  it.scopedLive("passes its selftests on the simulated host, over real TLS", () =>
    Effect.gen(function*() {
      const { environment, folder } = yield* simulatedHost
      // A variable that looks like ours and is not is a warning, and must not spoil what a program reads.
      const stray = { ...environment, FELHOM_AGENT_PROXMOX_NOD: "x" }
      for (const args of [["read"], ["task", "--vmid", "9999"]]) {
        const { code, stderr, stdout } = yield* run(folder, "main.js", ["selftest", ...args, "--output", "json"], stray)
        expect(stderr).toContain("did you mean FELHOM_AGENT_PROXMOX_NODE?")
        const { checks, passed } = yield* Schema.decode(Result)(stdout)
        expect(checks.filter(({ outcome }) => outcome === "failed")).toEqual([])
        expect([code, passed]).toEqual([0, true])
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("sends nothing to a host that shows another certificate", () =>
    Effect.gen(function*() {
      const { control, environment, folder } = yield* simulatedHost
      const { code, stdout } = yield* run(folder, "main.js", ["selftest"], {
        ...environment,
        FELHOM_AGENT_PROXMOX_FINGERPRINT: "00".repeat(32)
      })
      expect(code).toBe(1)
      expect(stdout).toContain(`SHA-256 ${environment.FELHOM_AGENT_PROXMOX_FINGERPRINT}. Nothing was sent to it.`)
      const wire: unknown = yield* Effect.promise(async () => (await fetch(`${control}/wire`)).json())
      expect(wire).toMatchObject({ connections: 1, applicationBytes: 0, requests: 0 })
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("explains a wrong secret without showing it", () =>
    Effect.gen(function*() {
      const { environment, folder } = yield* simulatedHost
      const wrong = "99999999-2222-3333-4444-555555555555"
      const { code, stderr, stdout } = yield* run(folder, "main.js", ["selftest"], {
        ...environment,
        FELHOM_AGENT_PROXMOX_TOKEN: wrong
      })
      expect(code).toBe(1)
      expect(stdout).toContain("refused the API token felhom-agent@pve!agent")
      expect(stdout + stderr).not.toContain(wrong)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("ends with 2 and one sentence for each thing that is missing or wrong", () =>
    Effect.gen(function*() {
      const folder = yield* alone
      const blank = yield* run(folder, "main.js", ["selftest"])
      expect(blank.code).toBe(2)
      expect(blank.stderr.trim().split("\n")).toHaveLength(5)
      const daemon = yield* run(folder, "main.js", ["daemon"])
      expect([daemon.code, daemon.stderr.trim().split("\n").length]).toEqual([2, 8])
      for (
        const args of [["bogus"], ["selftest", "task"], ["selftest", "task", "--vmid", "7"], [
          "selftest",
          "--output",
          "xml"
        ]]
      ) {
        const { code, stderr, stdout } = yield* run(folder, "main.js", args)
        expect([args.join(" "), code, stdout]).toEqual([args.join(" "), 2, ""])
        expect(stderr).not.toBe("")
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("does not start its daemon in a folder that it can't write, and says which", () =>
    Effect.gen(function*() {
      const { environment, folder } = yield* simulatedHost
      const { code, stderr } = yield* run(folder, "main.js", ["daemon"], {
        ...environment,
        ...hubEnvironment,
        FELHOM_AGENT_STATE_DIR: join(folder, "main.js/state")
      })
      expect(code).toBe(2)
      expect(stderr).toContain(join(folder, "main.js/state"))
      expect(stderr).toContain("FELHOM_AGENT_STATE_DIR")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("lets one daemon only use a state folder, and ends clean at SIGTERM without having logged a secret", () =>
    Effect.gen(function*() {
      const { environment, folder } = yield* simulatedHost
      const both = { ...environment, ...hubEnvironment, FELHOM_AGENT_LOG_LEVEL: "trace" }
      const { child, written } = yield* start(folder, "main.js", ["daemon"], both, "stderr", "its events are kept")
      const second = yield* run(folder, "main.js", ["daemon"], both)
      expect([second.code, second.stderr]).toEqual([2, expect.stringContaining("another felhom-agent daemon")])
      child.kill("SIGTERM")
      expect(yield* exitOf(child)).toBe(0)
      expect(written).not.toContain(secret)
      expect(written).not.toContain(both.FELHOM_AGENT_HUB_TOKEN)
    }).pipe(Effect.provide(NodeContext.layer)))
})
