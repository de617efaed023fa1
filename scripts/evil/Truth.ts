import { HttpClient, HttpClientRequest } from "@effect/platform"
import { parsePins } from "@felhom/domain/PeerPin"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import { Effect, Either, Layer, Schema, type Scope } from "effect"
import type { Simulator } from "../story/Simulator.ts"
import { StoryFailed } from "../story/StoryFailed.ts"
import type { Truth } from "./Arena.ts"

const Answer = Schema.parseJson(Schema.Struct({ data: Schema.Unknown }))
const Rows = Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const Counts = Schema.parseJson(
  Schema.Array(Schema.Struct({ method: Schema.String, path: Schema.String, count: Schema.Int }))
)

/** What comes and goes by itself while a guest runs. */
const passing = new Set(["cpu", "uptime", "mem", "disk", "netin", "netout", "diskread", "diskwrite", "pid", "memhost"])

const lasting = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (passing.has(key) || key.startsWith("pressure") ? undefined : inner))
  )

const byText = (rows: unknown): unknown =>
  Array.isArray(rows) ? rows.map((row) => JSON.stringify(row)).toSorted() : rows

/** The simulated host's own truth, asked of itself and not of the agent. */
export const truthOf = (
  simulator: Simulator,
  { node, secret, tokenId }: { readonly node: string; readonly tokenId: string; readonly secret: string }
): Effect.Effect<Truth, never, Scope.Scope> =>
  Effect.gen(function*() {
    const failed = (error: { readonly message: string }) =>
      new StoryFailed({ message: `the simulated host did not say how it is: ${error.message}` })
    const pins = Either.getOrThrow(parsePins(simulator.certificates.original.leaf))
    const http = yield* Layer.build(PinnedHttp.layer({ peer: "the simulated host", pins }))
    const text = (url: string) =>
      Effect.flatMap(HttpClient.HttpClient, (client) =>
        client.execute(
          HttpClientRequest.get(url).pipe(
            HttpClientRequest.setHeader("authorization", `PVEAPIToken=${tokenId}=${secret}`)
          )
        )).pipe(Effect.flatMap((response) => response.text), Effect.mapError(failed))
    const get = (path: string) =>
      text(`${simulator.url}/api2/json${path}`).pipe(
        Effect.flatMap((body) => Effect.mapError(Schema.decode(Answer)(body), failed)),
        Effect.map(({ data }) => lasting(data)),
        Effect.provide(http)
      )
    const rows = (path: string) =>
      Effect.flatMap(get(path), (data) => Effect.mapError(Schema.decodeUnknown(Rows)(data), failed))
    return {
      all: Effect.gen(function*() {
        const guests = (yield* Effect.all([rows(`/nodes/${node}/lxc`), rows(`/nodes/${node}/qemu`)])).flatMap((
          list,
          index
        ) => list.map(({ name, status, vmid }) => ({ type: index === 0 ? "lxc" : "qemu", vmid, name, status })))
        const inside = yield* Effect.forEach(
          guests,
          ({ type, vmid }) =>
            Effect.all([get(`/nodes/${node}/${type}/${vmid}/config`), get(`/nodes/${node}/${type}/${vmid}/snapshot`)])
        )
        const storages = yield* rows("/storage")
        const content = yield* Effect.forEach(
          storages,
          ({ storage }) => get(`/nodes/${node}/storage/${storage}/content`)
        )
        return JSON.stringify([byText(guests), byText(inside), byText(storages), content.map(byText)])
      }),
      changes: Effect.flatMap(HttpClient.HttpClient, (client) => client.get(`${simulator.control}/requests`)).pipe(
        Effect.flatMap((response) => response.text),
        Effect.flatMap(Schema.decode(Counts)),
        Effect.mapBoth({
          onFailure: failed,
          onSuccess: (counts) =>
            counts.filter(({ method }) => method !== "GET").reduce((sum, { count }) => sum + count, 0)
        })
      )
    }
  })
