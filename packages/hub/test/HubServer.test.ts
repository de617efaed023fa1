import { HttpBody, HttpClient, HttpClientRequest, HttpServer } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { Envelope } from "@felhom/domain/Envelope"
import { HostEvent } from "@felhom/domain/HostEvent"
import { HostDetail, HostSummary } from "@felhom/domain/HubApi"
import { HubIdentity } from "@felhom/hub/HubIdentity"
import { layer as hubLayer } from "@felhom/hub/Serve"
import { TokenStore } from "@felhom/hub/TokenStore"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Context, Effect, Exit, Fiber, Layer, Redacted, Schema, Scope } from "effect"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { Agent, request } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { epochOne, event, from, hostA, hostB, wireReport } from "./ReportBuilder.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-hub-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

interface Sent {
  readonly host?: string
  readonly headers?: { readonly [name: string]: string }
  readonly body: string | Uint8Array
}

/** A running hub, and ways to speak to it as a host and as a person. */
const dialogue = Effect.gen(function*() {
  const identity = yield* HubIdentity
  const { address } = yield* HttpServer.HttpServer
  const tokens = yield* TokenStore
  const base = `https://127.0.0.1:${address._tag === "TcpAddress" ? address.port : 0}`
  const tokenFor = (role: "host" | "viewer", label = "test") =>
    Effect.map(tokens.create(role, label), ({ row, token }) => ({ row, text: Redacted.value(token) }))

  const ask = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.gen(function*() {
      const response = yield* HttpClient.execute(request)
      return { status: response.status, text: yield* response.text, headers: response.headers }
    }).pipe(
      Effect.provide(pinnedHttp({ peer: "hub", pins: [{ kind: "leaf", sha256: identity.leafSha256 }] })),
      Effect.orDie
    )

  const post = (token: string, { body, headers, host }: Sent) =>
    ask(
      HttpClientRequest.post(`${base}/api/v1/hosts/${host ?? hostA}/report`).pipe(
        HttpClientRequest.bearerToken(token),
        HttpClientRequest.setHeaders(headers ?? {}),
        HttpClientRequest.setBody(
          typeof body === "string"
            ? HttpBody.text(body, "application/json")
            : HttpBody.uint8Array(body, "application/json")
        )
      )
    )
  const send = (token: string, more: { readonly [key: string]: unknown } = {}, host?: string) =>
    // By a clock that goes right.
    post(token, {
      body: JSON.stringify(wireReport({ takenAt: Date.now(), ...more })),
      ...(host === undefined ? {} : { host })
    })
  const envelope = (token: string, more: { readonly [key: string]: unknown } = {}) =>
    Effect.flatMap(send(token, more), ({ text }) => Schema.decodeUnknown(Schema.parseJson(Envelope))(text))
  const enrol = (body: string) =>
    ask(
      HttpClientRequest.post(`${base}/api/v1/enrolments`).pipe(
        HttpClientRequest.setBody(HttpBody.text(body, "application/json"))
      )
    )
  const get = (token: string, path: string) =>
    ask(HttpClientRequest.get(`${base}${path}`).pipe(HttpClientRequest.bearerToken(token)))
  const read = <A, I>(schema: Schema.Schema<A, I>, token: string, path: string) =>
    Effect.flatMap(get(token, path), ({ text }) => Schema.decodeUnknown(Schema.parseJson(schema))(text))
  const hosts = (token: string) => read(Schema.Array(HostSummary), token, "/api/v1/hosts")
  return { tokenFor, tokens, post, send, envelope, enrol, get, hosts, read }
})

const hubIn = (data: string) =>
  hubLayer({ listen: { host: "127.0.0.1", port: 0 }, data, reportIntervalSeconds: 30, maxStoreBytes: 1e9 })

const withHub = <A, E>(
  use: (hub: Effect.Effect.Success<typeof dialogue>) => Effect.Effect<A, E>
): Effect.Effect<A, unknown> =>
  Effect.scoped(
    Effect.flatMap(folder, (data) => Effect.provide(Effect.flatMap(dialogue, use), hubIn(data)))
  )

it.live("shows a host to a viewer as soon as its first report is in", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const agent = yield* hub.tokenFor("host")
      const viewer = yield* hub.tokenFor("viewer")
      const envelope = yield* hub.envelope(agent.text, { events: [event(1), event(2)] })
      expect(envelope).toMatchObject({ host: hostA, hostEpoch: epochOne, acked: 2, nextReportSeconds: 30, ops: [] })
      expect(envelope.want).toBeUndefined()
      const [summary] = yield* hub.hosts(viewer.text)
      expect(summary).toMatchObject({
        sequence: 1,
        presence: "online",
        guests: { total: 2, running: 1 },
        storages: { total: 2, active: 2 },
        events: 2,
        eventsMissing: 0,
        attention: []
      })
      const detail = yield* hub.read(HostDetail, viewer.text, `/api/v1/hosts/${hostA}`)
      expect(detail.inventory?.guests).toMatchObject({ state: "ok", value: [{ vmid: 101 }, { vmid: 102 }] })
      const events = yield* hub.read(Schema.Array(HostEvent), viewer.text, `/api/v1/hosts/${hostA}/events?after=1`)
      expect(events.map(({ message }) => message)).toEqual(["event 2"])
    })
  ))

describe("tokens", () => {
  it.live("bind themselves to the first host and refuse any other", () =>
    withHub((hub) =>
      Effect.gen(function*() {
        const first = yield* hub.tokenFor("host", "kitchen")
        const second = yield* hub.tokenFor("host")
        expect((yield* hub.send(first.text)).status).toBe(200)
        const other = yield* hub.send(first.text, { host: from(hostB) }, hostB)
        expect(other).toMatchObject({ status: 403, text: expect.stringContaining("belongs to host") })
        const stranger = yield* hub.send(second.text, { sequence: 2 })
        expect(stranger).toMatchObject({ status: 403, text: expect.stringContaining("kitchen") })
        expect((yield* hub.send(first.text, { sequence: 2 })).status).toBe(200)
      })
    ))

  it.live("are refused once revoked, and a new one takes the host over", () =>
    withHub((hub) =>
      Effect.gen(function*() {
        const first = yield* hub.tokenFor("host")
        yield* hub.send(first.text)
        yield* hub.tokens.revoke(first.row.hash)
        expect(yield* hub.send(first.text, { sequence: 2 })).toMatchObject({
          status: 401,
          text: expect.stringContaining("revoked")
        })
        const second = yield* hub.tokenFor("host")
        expect((yield* hub.send(second.text, { sequence: 2 })).status).toBe(200)
      })
    ))

  it.live("do only what their role says", () =>
    withHub((hub) =>
      Effect.gen(function*() {
        const agent = yield* hub.tokenFor("host")
        const viewer = yield* hub.tokenFor("viewer")
        expect((yield* hub.get(agent.text, "/api/v1/hosts")).status).toBe(403)
        expect((yield* hub.send(viewer.text)).status).toBe(403)
        expect((yield* hub.send("felhom_host_" + "x".repeat(43))).status).toBe(401)
        expect((yield* hub.get("", "/api/v1/hosts")).status).toBe(401)
        expect(yield* hub.hosts(viewer.text)).toEqual([])
      })
    ))
})

describe("a body that is no report", () => {
  const refused = (name: string, sent: Sent, status: number, text: string) =>
    it.live(name, () =>
      withHub((hub) =>
        Effect.gen(function*() {
          const agent = yield* hub.tokenFor("host")
          const viewer = yield* hub.tokenFor("viewer")
          expect(yield* hub.post(agent.text, sent)).toMatchObject({ status, text: expect.stringContaining(text) })
          expect(yield* hub.hosts(viewer.text)).toEqual([])
          expect((yield* hub.send(agent.text)).status).toBe(200)
        })
      ))
  const gzipped = { "content-encoding": "gzip" }

  refused("is refused when it is not JSON", { body: "{" }, 400, "not JSON")
  refused(
    "is refused with the field that does not read",
    { body: JSON.stringify(wireReport({ inventoryHash: "nope" })) },
    400,
    "inventoryHash"
  )
  refused("is refused at another host's address", { body: JSON.stringify(wireReport()), host: hostB }, 400, "host.id")
  refused("is refused when it is too large", { body: " ".repeat(512 * 1024 + 1) }, 413, "524288")
  refused(
    "is refused when it unpacks to too much",
    { body: gzipSync(Buffer.alloc(64 * 1024 * 1024)), headers: gzipped },
    413,
    "8388608"
  )
  refused("is refused when it is not gzip but says so", { body: "{}", headers: gzipped }, 400, "not gzip")
  refused(
    "is refused in an encoding that nobody here reads",
    { body: "{}", headers: { "content-encoding": "br" } },
    400,
    "Content-Encoding"
  )
})

it.live("takes a gzipped report, with keys and events of a newer agent", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const agent = yield* hub.tokenFor("host")
      const viewer = yield* hub.tokenFor("viewer")
      const newer = { ...wireReport({ events: [event(1, { kind: "moon.rose", colour: "red" })] }), mood: "fine" }
      const answer = yield* hub.post(agent.text, {
        body: gzipSync(JSON.stringify(newer)),
        headers: { "content-encoding": "gzip" }
      })
      expect(answer.status).toBe(200)
      const events = yield* hub.read(Schema.Array(HostEvent), viewer.text, `/api/v1/hosts/${hostA}/events`)
      expect(events[0]?.kind).toBe("moon.rose")
    })
  ))

it.live("loses nothing when it is started again on the same folder, and stays the same peer", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const data = yield* folder
      const before = yield* Effect.gen(function*() {
        const hub = yield* dialogue
        const agent = yield* hub.tokenFor("host")
        const viewer = yield* hub.tokenFor("viewer")
        yield* hub.send(agent.text, { events: [event(1)] })
        return { agent, viewer, identity: yield* HubIdentity, health: yield* hub.get("", "/api/v1/health") }
      }).pipe(Effect.provide(hubIn(data)))
      expect(statSync(join(data, "tls-key.pem")).mode & 0o777).toBe(0o600)
      yield* Effect.gen(function*() {
        const hub = yield* dialogue
        expect((yield* HubIdentity).leafSha256).toBe(before.identity.leafSha256)
        expect((yield* hub.get("", "/api/v1/health")).text).toEqual(before.health.text)
        expect(yield* hub.hosts(before.viewer.text)).toMatchObject([{ sequence: 1, events: 1 }])
        expect((yield* hub.envelope(before.agent.text, { sequence: 2, inventory: null })).acked).toBe(1)
      }).pipe(Effect.provide(hubIn(data)))
    })
  ))

/** A request that a hub of its own has in hand, its body not sent yet; and the hub's scope. */
const requestInHand = Effect.gen(function*() {
  const data = yield* folder
  const hubScope = yield* Scope.make()
  const running = yield* Layer.buildWithScope(hubIn(data), hubScope)
  const { address } = Context.get(running, HttpServer.HttpServer)
  const { token } = yield* Context.get(running, TokenStore).create("host", "attic")
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ keepAlive: true, rejectUnauthorized: false })),
    (agent) => Effect.sync(() => agent.destroy())
  )
  const asking = request({
    agent,
    host: "127.0.0.1",
    port: address._tag === "TcpAddress" ? address.port : 0,
    method: "POST",
    path: `/api/v1/hosts/${hostA}/report`,
    // The server's "continue" says that it has the request in hand.
    headers: { authorization: `Bearer ${Redacted.value(token)}`, expect: "100-continue" }
  })
  const end = new Promise<number | string | undefined>((resolve) => {
    asking.on("error", (error) => resolve(error.message)).on("response", (response) => {
      response.resume()
      resolve(response.statusCode)
    })
  })
  const inHand = new Promise<void>((resolve) => asking.on("continue", () => resolve()))
  asking.flushHeaders()
  yield* Effect.promise(() => inHand)
  return { asking, stop: Scope.close(hubScope, Exit.void), end: Effect.promise(() => end) }
})

it.scopedLive("finishes an answer under way when it is asked to stop, and waits for no idle connection", () =>
  Effect.gen(function*() {
    const { asking, end, stop } = yield* requestInHand
    const stopping = yield* Effect.fork(stop)
    yield* Effect.yieldNow()
    asking.end(JSON.stringify(wireReport()))
    expect(yield* end).toBe(200)
    yield* Fiber.join(stopping)
  }))

it.scopedLive("stops although a client never finishes what it began", () =>
  Effect.gen(function*() {
    const { end, stop } = yield* requestInHand
    yield* stop
    expect(yield* end).toBe("socket hang up")
  }))

it.live("tells who sends too many reports at once when to come again", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const agent = yield* hub.tokenFor("host")
      const answers = yield* Effect.forEach(
        Array.from({ length: 12 }, (_, index) => index + 1),
        (sequence) => hub.send(agent.text, { sequence }),
        { concurrency: 12 }
      )
      const [refused] = answers.filter(({ status }) => status === 429)
      expect(refused?.headers["retry-after"]).toBe("1")
      expect(refused?.text).toContain("wait 1 s")
      const other = yield* hub.tokenFor("host")
      expect((yield* hub.send(other.text, { host: from(hostB) }, hostB)).status).toBe(200)
    })
  ))

it.live("breaks off a body that is too large where no report is expected, and lives on", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const small = yield* hub.enrol(JSON.stringify({ token: "x".repeat(1_000) }))
      expect(small.status).toBe(400)
      expect(Exit.isFailure(yield* Effect.exit(hub.enrol(JSON.stringify({ token: "x".repeat(1_000_000) }))))).toBe(true)
      expect((yield* hub.get("", "/api/v1/health")).status).toBe(200)
    })
  ))

it.live("describes its API and shows it on a page that loads nothing from elsewhere", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const description = yield* hub.get("", "/openapi.json")
      expect(JSON.parse(description.text).paths).toHaveProperty("/api/v1/hosts/{hostId}/report")
      const page = yield* hub.get("", "/docs")
      expect(page.status).toBe(200)
      expect(page.text).not.toMatch(/<(?:script|link)[^>]+(?:src|href)=/)
    })
  ))

it.live("says 404 for a host that it never heard of", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const viewer = yield* hub.tokenFor("viewer")
      expect((yield* hub.get(viewer.text, `/api/v1/hosts/${hostB}`)).status).toBe(404)
      expect((yield* hub.get(viewer.text, `/api/v1/hosts/${hostB}/events`)).status).toBe(404)
    })
  ))
