import { HttpClient, HttpClientRequest } from "@effect/platform"
import { it } from "@effect/vitest"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Layer, Stream } from "effect"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"

const config = `${node}/lxc/101/config`

const sent = (options: {
  readonly method: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string
}) =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const body = new TextEncoder().encode(options.body ?? "")
    const response = yield* sim.handle({
      method: options.method,
      path: config,
      query: "",
      headers: {
        authorization: "PVEAPIToken=felhom-agent@pve!agent=agent-secret",
        "content-length": String(body.length),
        ...options.headers
      },
      body
    })
    return [response.status, response.reason, new TextDecoder().decode(response.body)]
  })

const provide = Effect.provide(PveSim.layer({ secrets }))

it.effect("a body is refused by its announced length, and up to 512 KiB it is read", () =>
  Effect.gen(function*() {
    const large = "for data too large"
    expect(yield* sent({ method: "PUT", headers: { "content-length": "524289" } })).toEqual([501, large, large])
    const [status] = yield* sent({ method: "PUT", body: `description=${"x".repeat(524_288 - 12)}` })
    expect(status).toBe(400)
  }).pipe(provide))

it.effect("GET and DELETE take no body, and nobody may send in chunks", () =>
  Effect.gen(function*() {
    for (const method of ["GET", "DELETE"]) {
      const refused = `Unexpected content for method '${method}'`
      expect(yield* sent({ method, body: "purge=1" })).toEqual([501, refused, refused])
    }
    const chunked = "chunked transfer encoding not supported"
    expect(yield* sent({ method: "PUT", headers: { "transfer-encoding": "chunked" } })).toEqual([501, chunked, chunked])
  }).pipe(provide))

it.effect("the query wins over the body, and a charset behind the content type does no harm", () =>
  Effect.gen(function*() {
    expect((yield* ask("PUT", `${config}?description=q`, "description=b")).status).toBe(200)
    expect((yield* ask("GET", config)).data).toMatchObject({ description: "q\n" })
    const json = { "content-type": "application/json; charset=utf-8" }
    expect((yield* sent({ method: "PUT", headers: json, body: `{"description":"j","onboot":true}` }))[0]).toBe(200)
    expect((yield* ask("GET", config)).data).toMatchObject({ description: "j\n", onboot: 1 })
  }).pipe(provide))

it.effect("fields are parted by semicolons, too, and only the first value of k=v=w counts", () =>
  Effect.gen(function*() {
    expect((yield* ask("PUT", config, "description=a;tags=b=c&x=1")).errors).toEqual({
      x: "property is not defined in schema and the schema does not allow additional properties"
    })
    yield* ask("PUT", config, "description=a;tags=b=c")
    expect((yield* ask("GET", config)).data).toMatchObject({ description: "a\n", tags: "b" })
  }).pipe(provide))

it.effect("a path's parameter can't be given another value", () =>
  Effect.gen(function*() {
    expect((yield* ask("GET", `${config}?vmid=102`)).errors).toEqual({
      vmid: "duplicate parameter (already defined in URI) with conflicting values!"
    })
  }).pipe(provide))

it.effect("an HttpClient reaches the simulated host without a wire, whatever its base URL", () =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const authorized = HttpClientRequest.setHeader("authorization", "PVEAPIToken=felhom-agent@pve!agent=agent-secret")
    const request = (path: string) => HttpClientRequest.put(`https://any.example:1${path}`).pipe(authorized)
    const put = yield* client.execute(
      HttpClientRequest.bodyText(request(config), "description=x", "application/x-www-form-urlencoded")
    )
    expect([put.status, yield* put.json]).toEqual([200, { data: null }])
    const streamed = yield* client.execute(HttpClientRequest.bodyStream(request(config), Stream.empty))
    expect(streamed.status).toBe(501)
    expect(yield* (yield* PveSim).requests).toEqual([{ method: "PUT", path: config, count: 2 }])
  }).pipe(Effect.provide(InProcessFront.layer.pipe(Layer.provideMerge(PveSim.layer({ secrets }))))))
