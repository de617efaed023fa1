import { describe, it } from "@effect/vitest"
import { RootVerb } from "@felhom/domain/port/RootSocket"
import * as NodeRootSocket from "@felhom/node/NodeRootSocket"
import { answerWithinMillis } from "@felhom/privileged/RootExchange"
import { Effect, Schema } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const dist = join(import.meta.dirname, "../../../../dist")
const verbs = RootVerb.literals
const flags = ["--jitless"]
/** What V8 up to 11 (Node 20) says of `--jitless` on standard error; later ones know no flag that keeps it quiet, and end at one. */
const wordOfV8 = "Warning: disabling flag --expose_wasm due to conflicting flags\n"

const Reply = Schema.parseJson(Schema.Struct({
  ok: Schema.Boolean,
  error: Schema.optional(Schema.Struct({ reason: Schema.String, detail: Schema.String }))
}))

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-root-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** The helpers' bundles alone in a folder, as on a host. */
const alone = Effect.map(folder, (path) => {
  for (const name of [...verbs.map((verb) => `root-${verb}.js`), "package.json"]) {
    copyFileSync(join(dist, name), join(path, name))
  }
  return path
})

/** As systemd does for a socket with `Accept=yes`: each connection is a helper's standard input and output. */
const serving = (programs: string, sockets: string, verb: RootVerb, ends: Array<number | null>) =>
  Effect.acquireRelease(
    Effect.async<Server>((resume) => {
      const children = new Set<ChildProcess>()
      const server = createServer({ pauseOnConnect: true }, (socket) => {
        const child = spawn(process.execPath, [...flags, join(programs, `root-${verb}.js`)], {
          stdio: [socket, socket, "inherit"],
          env: { LANG: "C", FELHOM_SECRET: "leaks" }
        })
        children.add(child)
        child.on("exit", (code) => {
          children.delete(child)
          ends.push(code)
          socket.destroy()
        })
      })
      server.on("close", () => children.forEach((child) => child.kill("SIGKILL")))
      server.listen(join(sockets, `${verb}.sock`), () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** A start of a process each; RootHelper.test.ts has hundreds. */
const badRequests: ReadonlyArray<readonly [verb: RootVerb, line: string]> = [
  ["smart", ""],
  ["smart", "GET / HTTP/1.1"],
  ["smart", "\u0000"],
  ["smart", `{"action":"smart","device":"/dev/sda;reboot"}`],
  ["smart", `{"action":"smart","device":"/dev/sda","test":"long"}`],
  ["smart", "[".repeat(8000)],
  ["mount", `{"action":"list"}{"action":"list"}`],
  ["mount", `{"action":"mount","uuid":"../sda1","name":"x"}`],
  ["mount", `{"action":"mount","uuid":"ABCD-1234","name":"../../etc"}`],
  ["mount", `{"action":"eject","name":"-x"}`],
  ["mount", `{"__proto__":{"action":"list"}}`],
  ["pct-create", "null"],
  ["pct-create", `{"vmid":9000}`],
  ["pct-create", `{"action":"list"}`]
]

interface Traced {
  readonly reply: typeof Reply.Type
  readonly trace: string
}

const tracer = "strace"

/** One question under strace: every system call of the helper and its children that this test looks at. */
const traced = (verb: RootVerb, request: object) =>
  Effect.map(folder, (path): Traced => {
    const file = join(path, "trace")
    const calls = "execve,execveat,socket,connect,bind,mmap,mprotect"
    const { stderr, stdout } = spawnSync(
      tracer,
      [
        "-f",
        "-v",
        "-qq",
        "-s",
        "2000",
        "-e",
        `trace=${calls}`,
        "-e",
        "signal=none",
        "-o",
        file,
        process.execPath,
        ...flags,
        join(dist, `root-${verb}.js`)
      ],
      {
        input: `${JSON.stringify(request)}\n`,
        encoding: "utf8",
        env: { PATH: "/usr/bin:/bin", FELHOM_SECRET: "leaks" }
      }
    )
    expect(stderr.replace(wordOfV8, "")).toBe("")
    return { reply: Schema.decodeSync(Reply)(stdout), trace: readFileSync(file, "utf8") }
  })

const uuid = "1741368e-c387-42cc-8971-e25211e7e768"

const questions: ReadonlyArray<readonly [verb: RootVerb, request: object, programs: ReadonlyArray<string>]> = [
  ["smart", { action: "smart", device: "/dev/sda" }, ["/usr/sbin/smartctl"]],
  ["smart", { action: "sensors" }, ["/usr/bin/sensors"]],
  ["mount", { action: "list" }, ["/usr/bin/lsblk"]],
  ["mount", { action: "mount", uuid, name: "no-such-disk" }, ["/usr/bin/lsblk"]],
  ["mount", { action: "eject", name: "no-such-name" }, []],
  ["mount", { action: "mount", uuid: "../sda1", name: "x" }, []]
]

const traces = spawnSync(tracer, ["-V"]).error === undefined
const untraced = traces ? "" : " (not run: there is no strace on this machine)"

describe("the root helpers' bundles", { timeout: 120_000 }, () => {
  it("are small, and hold nothing that speaks to a network", () => {
    for (const verb of verbs) {
      const file = join(dist, `root-${verb}.js`)
      expect(existsSync(file), "npx pnpm build makes the bundles that this test is about").toBe(true)
      const text = readFileSync(file, "utf8")
      expect(text.length).toBeLessThan(600_000)
      expect(text).not.toMatch(
        /require\("(?:node:)?(?:https?|http2|net|tls|dgram|dns|undici|worker_threads)(?:\/\w+)?"\)/
      )
    }
  })

  it.scopedLive("refuse bad requests at their sockets, end well after each, and answer the next good one", () =>
    Effect.gen(function*() {
      const programs = yield* alone
      const sockets = yield* folder
      const ends: Array<number | null> = []
      yield* Effect.forEach(verbs, (verb) => serving(programs, sockets, verb, ends))
      const { exchange } = NodeRootSocket.make({ directory: sockets, timeouts: answerWithinMillis })
      const ask = (verb: RootVerb, line: string) => Effect.flatMap(exchange(verb, line), Schema.decode(Reply))
      const refused = yield* Effect.forEach(badRequests, ([verb, line]) => ask(verb, line), { concurrency: 4 })
      for (const reply of refused) expect(reply).toMatchObject({ ok: false, error: { reason: "invalid" } })
      expect(yield* ask("mount", `{"action":"eject","name":"no-such-name"}`)).toMatchObject({
        ok: false,
        error: { reason: "refused", detail: expect.stringContaining("no disk is mounted") }
      })
      expect(new Set(ends)).toEqual(new Set([0]))
    }))

  for (const [verb, request, programs] of questions) {
    it.skipIf(!traces)(
      `run ${programs.join() || "nothing"} for ${JSON.stringify(request)}, and open no Internet socket${untraced}`,
      () =>
        Effect.runPromise(Effect.scoped(Effect.gen(function*() {
          const { trace } = yield* traced(verb, request)
          const executed = [...trace.matchAll(/execve\("([^"]+)", \[[^\]]*\], \[([^\]]*)\]/g)].slice(1)
          expect([...new Set(executed.map(([, program]) => program))]).toEqual(programs)
          for (const [, , environment] of executed) {
            expect(environment).toBe(`"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"`)
          }
          expect(trace).not.toMatch(/AF_INET|AF_PACKET|AF_VSOCK/)
          // What systemd refuses under MemoryDenyWriteExecute=.
          expect(trace).not.toMatch(/mmap\([^)]*PROT_WRITE\|PROT_EXEC/)
          expect(trace).not.toMatch(/mprotect\([^)]*PROT_EXEC/)
        })))
    )
  }
})
