import { HttpClient, HttpClientResponse } from "@effect/platform"
import { HostReport } from "@felhom/domain/HostReport"
import * as HubClient from "@felhom/hub-client/HubClient"
import { HubClientConfig } from "@felhom/hub-client/HubClientConfig"
import { Effect, Layer, Redacted, Schema, type Scope } from "effect"
import { callFor } from "../../packages/proxmox/test/RecordedCalls.ts"
import { answers, type Recording, refusals } from "../../packages/proxmox/test/Recordings.ts"
import { scripted } from "../../packages/proxmox/test/ScriptedApi.ts"
import type { AnswerTarget } from "./AnswerTarget.ts"

const response = (status: number, body: Uint8Array): Response => new Response(new Uint8Array(body), { status })

/** What a recorded call asks for, whichever guest, task or storage it is of: `GET nodes/A/lxc/101/config`, say. */
const endpointOf = ({ method, path }: Recording): string =>
  `${method} ${
    path.replace(/\?.*/, "").replace("/api2/json/", "").split("/").map((part) =>
      /^\d+$|^UPID|^local|demo-felhom|ctstore|^(felhom\d|nope|live|nb1|c[ab])$/.test(decodeURIComponent(part))
        ? "*"
        : part
    ).join("/")
  }`

/** All that the client of the Proxmox API asks for, each with the answers that were recorded from a real one. */
const proxmoxTargets = Effect.gen(function*() {
  let next = response(200, new Uint8Array())
  const client = yield* Layer.build(scripted(() => Effect.succeed(next)).layer)
  const byEndpoint = new Map<string, Array<Recording>>()
  for (const recording of answers) {
    const name = endpointOf(recording)
    byEndpoint.set(name, [...byEndpoint.get(name) ?? [], recording])
  }
  const refused = refusals.map(({ body }) => body).filter((body) => body !== "")
  return [...byEndpoint].flatMap(([name, recordings], index): ReadonlyArray<AnswerTarget> => {
    const call = recordings.map(callFor).find((found) => found !== undefined)
    if (call === undefined) return []
    const asked = Effect.provide(call, client)
    return [{
      name: `Proxmox's answer to ${name}`,
      seeds: [...recordings.map(({ body }) => body), refused[index % refused.length] ?? "{}"],
      ask: (status, body) =>
        Effect.suspend((): typeof asked => {
          next = response(status, body)
          return asked
        })
    }]
  })
})

const id = "0123456789abcdef0123456789abcdef"
const missing = { state: "unavailable", reason: "not looked at" } as const

const report = Schema.decodeUnknownSync(HostReport)({
  typ: "felhom/report/v1",
  host: { id, epoch: id, bootId: null, node: "pve", agentVersion: "0.1.0", pveVersion: null, kernel: null },
  sequence: 1,
  takenAt: 1_700_000_000_000,
  inventoryHash: "a".repeat(64),
  inventory: null,
  samples: { node: missing, guests: missing, temperatures: missing },
  events: [],
  eventsDropped: 0,
  sections: { storage: missing, backup: missing, restore: missing, pbs: missing, audit: missing }
})

const envelope = {
  typ: "felhom/envelope/v1",
  host: id,
  hostEpoch: id,
  serverTime: 1_700_000_000_001,
  nextReportSeconds: 30,
  acked: 0,
  ops: [{ payload: "e30K", signatures: ["-----BEGIN SSH SIGNATURE-----\n"], document: "e30K" }],
  signers: [{ payload: "e30K", signatures: [] }],
  desired: "e30K",
  want: "full"
}

const envelopeTarget = Effect.gen(function*() {
  let next = response(200, new Uint8Array())
  const http = HttpClient.make((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, next)))
  const config = Layer.succeed(HubClientConfig, {
    url: new URL("https://hub.test:8443/"),
    token: Redacted.make("felhom_host_x"),
    pack: Effect.succeed
  })
  const client = yield* Layer.build(
    HubClient.layer.pipe(Layer.provide([config, Layer.succeed(HttpClient.HttpClient, http)]), Layer.orDie)
  )
  const exchanged = Effect.flatMap(HubClient.HubClient, (hub) => hub.exchange(report)).pipe(Effect.provide(client))
  const target: AnswerTarget = {
    name: "envelope",
    seeds: [JSON.stringify(envelope), JSON.stringify({ message: "no such host" })],
    ask: (status, body) =>
      Effect.suspend((): typeof exchanged => {
        next = response(status, body)
        return exchanged
      })
  }
  return target
})

/** What the hub and Proxmox answer, read by the very clients that ask them. */
export const answerTargets: Effect.Effect<
  { readonly envelope: AnswerTarget; readonly proxmox: ReadonlyArray<AnswerTarget> },
  never,
  Scope.Scope
> = Effect.all({ envelope: envelopeTarget, proxmox: proxmoxTargets })
