import { HttpBody, HttpClient, HttpClientRequest } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { it } from "@effect/vitest"
import { HostSummary } from "@felhom/domain/HubApi"
import { parsePins } from "@felhom/domain/PeerPin"
import { run } from "@felhom/hub/HubCli"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { ConfigProvider, Deferred, Effect, Fiber, Logger, LogLevel, Schema } from "effect"
import Libsql from "libsql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Worker } from "node:worker_threads"
import { expect } from "vitest"
import { hostA, wireReport } from "./ReportBuilder.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-hub-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const Ready = Schema.parseJson(
  Schema.Struct({ ready: Schema.Literal(true), url: Schema.String, fingerprint: Schema.String })
)

/** Runs one command line; what it wrote, and its exit code. `onLine` hears each line as it is written. */
const hub = (args: ReadonlyArray<string>, onLine: (line: string) => Effect.Effect<unknown> = () => Effect.void) =>
  Effect.gen(function*() {
    const console = yield* Effect.console
    const out: Array<string> = []
    const err: Array<string> = []
    const code = yield* run(["node", "hub.js", ...args]).pipe(
      Effect.withConsole({
        ...console,
        log: (...texts) => Effect.zipRight(Effect.sync(() => out.push(...texts.map(String))), onLine(texts.join(" "))),
        error: (...texts) => Effect.sync(() => err.push(...texts.map(String)))
      }),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map()))
    )
    return { code, out: out.join("\n"), err: err.join("\n") }
  }).pipe(Effect.provide([NodeContext.layer, Logger.minimumLogLevel(LogLevel.None)]))

/** `hub serve` on a folder of its own, the thread that writes for it, and ways to speak to it. */
const serving = Effect.gen(function*() {
  const data = yield* folder
  const line = yield* Deferred.make<string>()
  const worker = yield* Deferred.make<Worker>()
  // Node tells of each thread that is started.
  const onWorker = (started: Worker) => Deferred.unsafeDone(worker, Effect.succeed(started))
  process.once("worker", onWorker)
  yield* Effect.addFinalizer(() => Effect.sync(() => process.off("worker", onWorker)))
  const served = yield* Effect.forkScoped(
    hub(["serve", "--listen", "127.0.0.1:0", "--data", data], (text) => Deferred.succeed(line, text))
  )
  const { fingerprint, url } = yield* Effect.flatMap(Deferred.await(line), Schema.decode(Ready))
  const pins = yield* parsePins(fingerprint)
  const ask = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.gen(function*() {
      const response = yield* HttpClient.execute(request)
      return { status: response.status, text: yield* response.text }
    }).pipe(Effect.provide(pinnedHttp({ peer: "hub", pins })))
  return {
    data,
    served,
    worker: Deferred.await(worker),
    token: (role: string, ...more: ReadonlyArray<string>) =>
      Effect.map(
        hub(["token", "create", "--role", role, "--label", `my ${role}`, "--data", data, ...more]),
        ({ out }) => out
      ),
    report: (token: string, sequence: number) =>
      ask(
        HttpClientRequest.post(`${url}/api/v1/hosts/${hostA}/report`).pipe(
          HttpClientRequest.bearerToken(token),
          HttpClientRequest.setBody(
            HttpBody.text(JSON.stringify(wireReport({ sequence, takenAt: Date.now() })), "application/json")
          )
        )
      ),
    hosts: (token: string) =>
      Effect.flatMap(
        ask(HttpClientRequest.get(`${url}/api/v1/hosts`).pipe(HttpClientRequest.bearerToken(token))),
        ({ text }) => Schema.decode(Schema.parseJson(Schema.Array(HostSummary)))(text)
      )
  }
})

it.scopedLive("a running hub knows a token made beside it at once, and one that was revoked no more", () =>
  Effect.gen(function*() {
    const { data, report, token } = yield* serving
    const attic = yield* token("host")
    expect(attic).toMatch(/^felhom_host_/)
    for (const sequence of [1, 2, 3]) expect((yield* report(attic, sequence)).status).toBe(200)
    const listed = yield* hub(["token", "list", "--data", data])
    expect(listed.out).toMatch(/^[0-9a-f]{12} {2}host .* live .* my host$/)
    const [id = ""] = listed.out.split(" ")
    expect(yield* hub(["token", "revoke", "--data", data, id])).toMatchObject({
      code: 0,
      out: `revoked ${id} (my host)`
    })
    expect(yield* report(attic, 4)).toMatchObject({ status: 401, text: expect.stringContaining("revoked") })
    const next = yield* token("host")
    expect((yield* report(next, 4)).status).toBe(200)
  }))

it.scopedLive("who reads a running hub does not wait for who writes", () =>
  Effect.gen(function*() {
    const { data, hosts, report, token } = yield* serving
    const [attic, me] = [yield* token("host"), yield* token("viewer")]
    yield* report(attic, 1)
    const other = yield* Effect.acquireRelease(
      Effect.sync(() => new Libsql(join(data, "hub.db"))),
      (db) => Effect.sync(() => db.close())
    )
    other.exec("BEGIN IMMEDIATE")
    const waiting = yield* Effect.fork(report(attic, 2))
    // Several round trips: the report under way had all the time that it needs.
    for (const _ of [1, 2, 3]) expect(yield* hosts(me)).toMatchObject([{ sequence: 1 }])
    expect(waiting.unsafePoll()).toBeNull()
    other.exec("COMMIT")
    expect((yield* Fiber.join(waiting)).status).toBe(200)
    expect(yield* hosts(me)).toMatchObject([{ sequence: 2 }])
  }))

it.scopedLive("a hub whose writing thread dies stops with 1 and says why", () =>
  Effect.gen(function*() {
    const { data, report, served, token, worker } = yield* serving
    const attic = yield* token("host")
    expect((yield* report(attic, 1)).status).toBe(200)
    const thread = yield* worker
    yield* Effect.promise(() => thread.terminate())
    const { code, err } = yield* Fiber.join(served)
    expect(err).toContain(`the store ${join(data, "hub.db")} cannot be written: the thread that writes it ended with 1`)
    expect(code).toBe(1)
  }))
