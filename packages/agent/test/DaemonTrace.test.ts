import { describe, it } from "@effect/vitest"
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const dist = join(import.meta.dirname, "../../../dist")
const tokenId = "felhom-agent@pve!agent"
const secret = "11111111-2222-3333-4444-555555555555"

type Environment = { readonly [name: string]: string }

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-trace-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Starts a program that goes on running, and waits until it has written a text. */
const started = (
  command: string,
  args: ReadonlyArray<string>,
  environment: Environment,
  text: string
): Effect.Effect<{ readonly child: ChildProcess; readonly written: () => string }, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => spawn(command, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) =>
      Effect.async((resume) => {
        let written = ""
        const hear = (chunk: string) => {
          written += chunk
          if (written.includes(text)) resume(Effect.succeed({ child, written: () => written }))
        }
        child.stdout.setEncoding("utf8").on("data", hear)
        child.stderr.setEncoding("utf8").on("data", hear)
        child.on("exit", (code) => resume(Effect.dieMessage(`ended with ${String(code)}: ${written}`)))
      })
  )

const Simulator = Schema.parseJson(Schema.Struct({
  url: Schema.String,
  certificates: Schema.Struct({ original: Schema.Struct({ leaf: Schema.String }) })
}))
const Hub = Schema.parseJson(Schema.Struct({ url: Schema.String, fingerprint: Schema.String }))

const firstLine = (text: string): string => text.split("\n").find((line) => line.startsWith("{")) ?? ""

/** A simulated host, a hub, and the settings of an agent between them. */
const scene = Effect.gen(function*() {
  const path = yield* folder
  const tokens = join(path, "tokens.json")
  writeFileSync(tokens, JSON.stringify({ [tokenId]: secret }), { mode: 0o600 })
  const sim = yield* started(
    process.execPath,
    [join(dist, "pve-sim.js"), "serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--tokens", tokens],
    {},
    "\n"
  )
  const data = join(path, "hub")
  const made = spawnSync(
    process.execPath,
    [join(dist, "hub.js"), "token", "create", "--data", data, "--role", "host", "--label", "trace"],
    { encoding: "utf8", env: {} }
  )
  expect(made.status, made.stderr).toBe(0)
  const serving = yield* started(
    process.execPath,
    [join(dist, "hub.js"), "serve", "--data", data, "--listen", "127.0.0.1:0"],
    {},
    "\"ready\":true"
  )
  const host = yield* Schema.decode(Simulator)(firstLine(sim.written()))
  const hub = yield* Schema.decode(Hub)(firstLine(serving.written()))
  return {
    path,
    environment: {
      FELHOM_AGENT_PROXMOX_URL: host.url,
      FELHOM_AGENT_PROXMOX_NODE: "demo-felhom",
      FELHOM_AGENT_PROXMOX_FINGERPRINT: host.certificates.original.leaf,
      FELHOM_AGENT_PROXMOX_TOKEN_ID: tokenId,
      FELHOM_AGENT_PROXMOX_TOKEN: secret,
      FELHOM_AGENT_HUB_URL: hub.url,
      FELHOM_AGENT_HUB_FINGERPRINT: hub.fingerprint,
      FELHOM_AGENT_HUB_TOKEN: made.stdout.trim(),
      FELHOM_AGENT_STATE_DIR: join(path, "state"),
      FELHOM_AGENT_RUNTIME_DIR: join(path, "run")
    }
  }
})

const tracer = "strace"
const tracing = (file: string, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "-f",
  "-qq",
  "-e",
  "trace=execve,execveat,exit_group",
  "-e",
  "signal=none",
  "-o",
  file,
  process.execPath,
  join(dist, "main.js"),
  ...args
]

/** The programs that were executed, the first of them Node itself; an execveat by whatever it names. */
const executed = (file: string): ReadonlyArray<string> =>
  readFileSync(file, "utf8").split("\n").filter((line) => /\bexecve(?:at)?\(/.test(line))

const traces = spawnSync(tracer, ["-V"]).error === undefined
const untraced = traces ? "" : " (not run: there is no strace on this machine)"

describe("the agent's bundle", { timeout: 120_000 }, () => {
  it.skipIf(!traces)(
    `executes no program but itself through a whole selftest${untraced}`,
    () =>
      Effect.gen(function*() {
        const { environment, path } = yield* scene
        const file = join(path, "trace")
        const { status, stderr, stdout } = spawnSync(tracer, tracing(file, ["selftest", "read"]), {
          encoding: "utf8",
          env: environment
        })
        expect([status, stdout], stderr).toEqual([0, expect.stringContaining("selftest read: passed")])
        expect(executed(file)).toHaveLength(1)
        expect(readFileSync(file, "utf8")).toContain("exit_group(0)")
      }).pipe(Effect.scoped, Effect.runPromise)
  )

  it.skipIf(!traces)(
    `executes none through a daemon's life either: start, report, SIGTERM${untraced}`,
    () =>
      Effect.gen(function*() {
        const { environment, path } = yield* scene
        const file = join(path, "trace")
        const { child } = yield* started(tracer, tracing(file, ["daemon"]), environment, "the hub takes reports")
        // Every line begins with the thread that made the call; the first execve is the daemon's own.
        const [, pid] = /^(\d+) +execve\(/.exec(readFileSync(file, "utf8")) ?? []
        const ended = new Promise<number | null>((resolve) => child.removeAllListeners("exit").on("exit", resolve))
        process.kill(Number(pid), "SIGTERM")
        expect(yield* Effect.promise(() => ended)).toBe(0)
        expect(executed(file)).toHaveLength(1)
        expect(readFileSync(file, "utf8")).toContain("exit_group(0)")
      }).pipe(Effect.scoped, Effect.runPromise)
  )
})
