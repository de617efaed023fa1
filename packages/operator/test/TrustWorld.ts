import { HttpServer } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { enrol } from "@felhom/agent/enrol/Enrol"
import * as HostKey from "@felhom/agent/enrol/HostKey"
import { hostCode, reportNamespace } from "@felhom/domain/HostKey"
import { HostReport } from "@felhom/domain/HostReport"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import { NodeName } from "@felhom/domain/ProxmoxId"
import * as StateFile from "@felhom/durable/StateFile"
import * as EnrolmentClient from "@felhom/hub-client/EnrolmentClient"
import * as HubClient from "@felhom/hub-client/HubClient"
import { HubClientConfig } from "@felhom/hub-client/HubClientConfig"
import { HubIdentity } from "@felhom/hub/HubIdentity"
import { layer as hubLayer } from "@felhom/hub/Serve"
import { TokenStore } from "@felhom/hub/TokenStore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import { Input } from "@felhom/operator/Input"
import { run } from "@felhom/operator/OperatorCli"
import { IsTerminal } from "@felhom/operator/Root"
import { ConfigProvider, Effect, Layer, Redacted, Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { guest, wireDetail, wireSummary } from "./HostBuilder.ts"

export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-trust-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A hub on this folder, over TLS on this machine. */
export const hubOn = (data: string) =>
  Effect.gen(function*() {
    const running = yield* Layer.build(
      hubLayer({ listen: { host: "127.0.0.1", port: 0 }, data, reportIntervalSeconds: 30, maxStoreBytes: 1e9 })
    )
    return yield* Effect.gen(function*() {
      const identity = yield* HubIdentity
      const { address } = yield* HttpServer.HttpServer
      const tokens = yield* TokenStore
      const url = new URL(`https://127.0.0.1:${address._tag === "TcpAddress" ? address.port : 0}`)
      const pins = [{ kind: "leaf", sha256: identity.leafSha256 }] as const
      return {
        data,
        url,
        pins,
        fingerprint: formatFingerprint(identity.leafSha256),
        spkiSha256: identity.spkiSha256,
        token: (role: "host" | "viewer" | "operator" | "admin", label: string = role) =>
          Effect.map(tokens.create(role, label), ({ token }) => token)
      }
    }).pipe(Effect.provide(running))
  })

/** A hub of its own. */
export const makeHub = Effect.flatMap(folder, hubOn)

export type Hub = Effect.Effect.Success<typeof makeHub>

/** What a person sees of one command: all that it wrote, and its exit code. */
export const makePerson = (hub: Hub, token: Redacted.Redacted) =>
  Effect.gen(function*() {
    const home = yield* folder
    const environment = {
      HOME: home,
      FELHOM_HUB_URL: hub.url.origin,
      FELHOM_HUB_FINGERPRINT: hub.fingerprint,
      FELHOM_TOKEN: Redacted.value(token)
    }
    const felhom = (
      args: ReadonlyArray<string>,
      options: {
        readonly types?: string
        readonly environment?: { readonly [name: string]: string }
        /** Goes on while the person thinks. */
        readonly meanwhile?: Effect.Effect<void>
      } = {}
    ) =>
      Effect.gen(function*() {
        const console = yield* Effect.console
        const out: Array<string> = []
        const err: Array<string> = []
        const code = yield* run(["node", "felhom.js", ...args]).pipe(
          Effect.withConsole({
            ...console,
            log: (...texts) => Effect.sync(() => out.push(...texts.map(String))),
            error: (...texts) => Effect.sync(() => err.push(...texts.map(String)))
          }),
          Effect.withConfigProvider(
            ConfigProvider.fromMap(new Map(Object.entries(options.environment ?? environment)))
          )
        )
        return { code, out: out.join("\n"), err: err.join("\n") }
      }).pipe(
        Effect.provideService(IsTerminal, false),
        Effect.provideService(Input, {
          secret: () => Effect.succeed(Redacted.make(options.types ?? "")),
          line: () => Effect.as(options.meanwhile ?? Effect.void, options.types ?? "")
        }),
        Effect.provide(NodeContext.layer)
      )
    return { home, environment, felhom }
  })

/** A host's report as it would stand on the wire. */
const reportOf = (host: { readonly id: string; readonly epoch: string }, node: string, more: object) => {
  const { inventory, samples, sections } = wireDetail([guest(101)])
  return Schema.decodeUnknownSync(HostReport)({
    typ: "felhom/report/v1",
    host: { ...wireSummary().host, id: host.id, epoch: host.epoch, node },
    sequence: 1,
    // By a clock that goes right.
    takenAt: Date.now(),
    inventoryHash: "d".repeat(64),
    inventory,
    samples,
    sections,
    events: [],
    eventsDropped: 0,
    ...more
  })
}

/** A host with a state folder of its own, as its agent would use it. */
export const makeHost = (hub: Hub, node: string, state?: string) =>
  Effect.gen(function*() {
    const directory = state ?? (yield* folder)
    const services = yield* Layer.build(
      Layer.mergeAll(StateFile.layer(directory), HostKey.layer(directory)).pipe(
        Layer.provideMerge(Layer.mergeAll(NodeCrypto.layer, NodeDurableFile.layer, NodeEd25519.layer))
      )
    )
    const http = PinnedHttp.layer({ peer: hub.url.host, pins: hub.pins })
    return yield* Effect.gen(function*() {
      const { host } = yield* StateFile.StateFile
      const key = yield* HostKey.HostKey
      const code = yield* hostCode(key.publicKey)
      const bearerPath = join(directory, "hub-token")
      const said: Array<string> = []
      const enrolled = (token: string) =>
        Effect.gen(function*() {
          const console = yield* Effect.console
          yield* enrol({
            token: Redacted.make(token),
            node: NodeName.make(node),
            bearerPath,
            once: true,
            output: "text"
          }).pipe(
            Effect.withConsole({ ...console, log: (...texts) => Effect.sync(() => said.push(...texts.map(String))) })
          )
        }).pipe(Effect.provide(Layer.provide(EnrolmentClient.layer(hub.url), http)), Effect.provide(services))
      const sign = (body: Uint8Array) => key.sign(reportNamespace, body)
      const send = (
        more: { readonly [key: string]: unknown } = {},
        options: {
          readonly bearer?: Redacted.Redacted
          readonly sign?: typeof HubClientConfig.Service.sign | null
          readonly epoch?: string
          readonly bootId?: string
          /** Another hub than the one that it enrolled with. */
          readonly hub?: Hub
        } = {}
      ) => {
        const to = options.hub ?? hub
        const chosen = options.sign === null ? {} : { sign: options.sign ?? sign }
        const report = reportOf({ id: host.id, epoch: options.epoch ?? host.epoch }, node, more)
        return Effect.flatMap(
          HubClient.HubClient,
          (client) => client.exchange({ ...report, host: { ...report.host, bootId: options.bootId ?? null } })
        ).pipe(
          Effect.provide(
            HubClient.layer.pipe(
              Layer.orDie,
              Layer.provide(PinnedHttp.layer({ peer: to.url.host, pins: to.pins })),
              Layer.provide(
                Layer.sync(HubClientConfig, () => ({
                  url: to.url,
                  token: options.bearer ?? Redacted.make(readFileSync(bearerPath, "utf8").trim()),
                  ...chosen
                }))
              )
            )
          )
        )
      }
      return { id: host.id, epoch: host.epoch, code, directory, bearerPath, said, enrol: enrolled, send, sign }
    }).pipe(Effect.provide(services))
  })
