import { HttpApiClient, HttpClient, HttpClientRequest, HttpServer } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { HubApi } from "@felhom/domain/HubApi"
import { HubIdentity } from "@felhom/hub/HubIdentity"
import { layer as hubLayer } from "@felhom/hub/Serve"
import { TokenStore } from "@felhom/hub/TokenStore"
import { layer as pinnedHttp } from "@felhom/node/PinnedHttp"
import { Effect, Redacted } from "effect"
import Libsql from "libsql"
import { mkdtempSync, rmSync } from "node:fs"
import type { IncomingHttpHeaders } from "node:http"
import { request } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { event, guest, guests, hostA, hostB, report, wireReport } from "./ReportBuilder.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-hub-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

interface Letter {
  readonly token: string
  readonly headers?: { readonly [name: string]: string }
  readonly host?: string
  /** Each part is written by itself. */
  readonly parts: ReadonlyArray<string | Uint8Array>
  /** Without it the body travels in chunks. */
  readonly hasLength?: boolean
}

const sizeOf = (parts: Letter["parts"]): number => parts.reduce((size, part) => size + Buffer.byteLength(part), 0)

/** What came back: all of the answer but when it was made. */
const post = (url: string, { hasLength = true, headers, parts, token }: Letter) =>
  Effect.async<{ readonly status: number | undefined; readonly headers: IncomingHttpHeaders; readonly text: string }>(
    (resume) => {
      const sent = request(url, {
        method: "POST",
        // The hub is this test's own.
        rejectUnauthorized: false,
        agent: false,
        headers: {
          ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
          ...(hasLength ? { "content-length": String(sizeOf(parts)) } : {}),
          ...headers
        }
      })
      sent.on("error", (error) => resume(Effect.die(error)))
      sent.on("response", (answer) => {
        let text = ""
        const { date: _, ...others } = answer.headers
        answer.setEncoding("utf8").on("data", (part: string) => (text += part)).on(
          "end",
          () => resume(Effect.succeed({ status: answer.statusCode, headers: others, text }))
        )
      })
      for (const part of parts) sent.write(part)
      sent.end()
    }
  )

const withHub = <A, E>(
  use: (hub: {
    readonly base: string
    readonly data: string
    readonly identity: typeof HubIdentity.Service
    readonly tokenFor: (role: "host" | "viewer") => Effect.Effect<string>
  }) => Effect.Effect<A, E>
) =>
  Effect.scoped(
    Effect.flatMap(folder, (data) =>
      Effect.gen(function*() {
        const tokens = yield* TokenStore
        const { address } = yield* HttpServer.HttpServer
        return yield* use({
          data,
          base: `https://127.0.0.1:${address._tag === "TcpAddress" ? address.port : 0}`,
          identity: yield* HubIdentity,
          tokenFor: (role) =>
            Effect.orDie(Effect.map(tokens.create(role, "test"), ({ token }) => Redacted.value(token)))
        })
      }).pipe(
        Effect.provide(
          hubLayer({ listen: { host: "127.0.0.1", port: 0 }, data, reportIntervalSeconds: 30, maxStoreBytes: 1e9 })
        )
      ))
  )

const json = (more: { readonly [key: string]: unknown } = {}): string => JSON.stringify(wireReport(more))

const serverTime = /"serverTime":\d+/

describe("the short way of a report answers as the declared endpoint does", () => {
  const gzip = { "content-encoding": "gzip" }
  const large = json({ inventory: guests(...Array.from({ length: 14_000 }, (_, index) => guest(index + 100))) })

  it.live.each<{ readonly name: string; readonly letter: Omit<Letter, "token">; readonly status: number }>([
    { name: "a report", letter: { parts: [json({ events: [event(1)] })] }, status: 200 },
    { name: "a report in gzip", letter: { parts: [gzipSync(json())], headers: gzip }, status: 200 },
    {
      name: "a report in chunks",
      letter: { parts: [json().slice(0, 99), json().slice(99)], hasLength: false },
      status: 200
    },
    {
      name: `a report of ${Math.floor(large.length / 1024 ** 2)} MiB, in gzip`,
      letter: { parts: [gzipSync(large)], headers: gzip },
      status: 200
    },
    { name: "the same as it is", letter: { parts: [large] }, status: 413 },
    { name: "512 KiB of nothing", letter: { parts: [" ".repeat(512 * 1024)] }, status: 400 },
    { name: "a byte more", letter: { parts: [" ".repeat(512 * 1024 + 1)] }, status: 413 },
    {
      name: "a byte more, in chunks",
      letter: { parts: [" ".repeat(512 * 1024), " "], hasLength: false },
      status: 413
    },
    {
      name: "what unpacks to more than 8 MiB",
      letter: { parts: [gzipSync(Buffer.alloc(9 * 1024 * 1024))], headers: gzip },
      status: 413
    },
    {
      name: "an encoding that nobody reads",
      letter: { parts: ["{}"], headers: { "content-encoding": "br" } },
      status: 400
    },
    { name: "no gzip", letter: { parts: ["{}"], headers: gzip }, status: 400 },
    { name: "no JSON", letter: { parts: ["{"] }, status: 400 },
    { name: "a field that does not read", letter: { parts: [json({ takenAt: "now" })] }, status: 400 },
    { name: "another host's address", letter: { parts: [json()], host: hostB }, status: 400 },
    {
      name: "a signature that is none",
      letter: { parts: [json()], headers: { "felhom-signature": "AAAA" } },
      status: 403
    },
    { name: "no body", letter: { parts: [] }, status: 400 }
  ])("$name", ({ letter, status }) =>
    withHub((hub) =>
      Effect.gen(function*() {
        const token = yield* hub.tokenFor("host")
        const url = `${hub.base}/api/v1/hosts/${letter.host ?? hostA}/report`
        const short = yield* post(url, { ...letter, token })
        // A query, which means nothing here, is none of the short way's business.
        const declared = yield* post(`${url}?`, { ...letter, token })
        expect(short.status).toBe(status)
        const timeless = (text: string) => text.replace(serverTime, "")
        expect({ ...short, text: timeless(short.text) }).toEqual({ ...declared, text: timeless(declared.text) })
      })
    ))

  it.live("who has no token, another's role, or asks too often", () =>
    withHub((hub) =>
      Effect.gen(function*() {
        const url = `${hub.base}/api/v1/hosts/${hostA}/report`
        const parts = [json()]
        for (const token of ["", "felhom_host_nonsense", yield* hub.tokenFor("viewer")]) {
          const short = yield* post(url, { token, parts })
          expect([401, 403]).toContain(short.status)
          expect(short).toEqual(yield* post(`${url}?`, { token, parts }))
        }
        const token = yield* hub.tokenFor("host")
        const many = yield* Effect.replicateEffect(post(url, { token, parts: ["{"] }), 14, { concurrency: 14 })
        const refused = many.find(({ status }) => status === 429)
        const declared = yield* Effect.replicateEffect(post(`${url}?`, { token, parts: ["{"] }), 14, {
          concurrency: 14
        })
        expect(refused).toEqual(declared.find(({ status }) => status === 429))
        expect(refused?.headers["retry-after"]).toBe("1")
      })
    ))
})

it.live("a client that is derived from the declaration reads every answer of the short way", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const token = yield* hub.tokenFor("host")
      const clientFor = (bearer: string) =>
        Effect.map(HttpClient.HttpClient, (client) =>
          client.pipe(HttpClient.mapRequest(HttpClientRequest.bearerToken(bearer)))).pipe(
            Effect.flatMap((httpClient) =>
              HttpApiClient.endpoint(HubApi, { group: "reports", endpoint: "report", httpClient, baseUrl: hub.base })
            )
          )
      const send = yield* clientFor(token)
      const stranger = yield* clientFor("nobody")
      const payload = report({ events: [event(1)] })
      const { id } = payload.host
      expect(yield* send({ path: { hostId: id }, payload })).toMatchObject({ host: hostA, acked: 1 })
      expect((yield* Effect.flip(stranger({ path: { hostId: id }, payload })))._tag).toBe("HubUnauthorized")
      const other = report({ host: { ...wireReport().host, id: hostB } })
      expect((yield* Effect.flip(send({ path: { hostId: id }, payload: other })))._tag).toBe("HubBadReport")
      expect((yield* Effect.flip(send({ path: { hostId: other.host.id }, payload: other })))._tag).toBe("HubForbidden")
    }).pipe(
      Effect.provide(pinnedHttp({ peer: "hub", pins: [{ kind: "leaf", sha256: hub.identity.leafSha256 }] }))
    )
  ))

/** What another program does to the hub's store while it runs, in one commit. */
const beside = (data: string, sql: string, ...parameters: ReadonlyArray<string>) =>
  Effect.sync(() => {
    const other = new Libsql(join(data, "hub.db"))
    try {
      return other.prepare(sql).all(parameters)
    } finally {
      other.close()
    }
  })

it.live("a token that another program revokes brings no further report, and the others go on", () =>
  withHub((hub) =>
    Effect.gen(function*() {
      const [kept, revoked] = [yield* hub.tokenFor("host"), yield* hub.tokenFor("host")]
      const send = (token: string, host: string, sequence: number) =>
        post(`${hub.base}/api/v1/hosts/${host}/report`, {
          token,
          parts: [JSON.stringify(wireReport({ host: { ...report().host, id: host }, sequence }))]
        })
      const sequences = beside(hub.data, "SELECT host_id, sequence FROM host ORDER BY host_id")
      for (const sequence of [1, 2]) {
        expect((yield* send(kept, hostA, sequence)).status).toBe(200)
        expect((yield* send(revoked, hostB, sequence)).status).toBe(200)
      }
      yield* beside(hub.data, "UPDATE token SET revoked_at = 1 WHERE host_id = ?", hostB)
      expect((yield* send(revoked, hostB, 3)).text).toContain("this token was revoked")
      expect((yield* send(kept, hostA, 3)).status).toBe(200)
      expect(yield* sequences).toEqual([{ host_id: hostA, sequence: 3 }, { host_id: hostB, sequence: 2 }])
      // What another program wrote that is no token's end stops nobody.
      yield* beside(hub.data, "UPDATE token SET label = 'attic'")
      expect((yield* send(kept, hostA, 4)).status).toBe(200)
    })
  ))
