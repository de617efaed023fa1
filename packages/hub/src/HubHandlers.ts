import { type HttpApi, HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { NodeHttpServerRequest } from "@effect/platform-node"
import type { HostId } from "@felhom/domain/HostId"
import { HostPrincipal, HubApi, HubBadReport, HubForbidden, HubNotFound } from "@felhom/domain/HubApi"
import { version } from "@felhom/domain/Version"
import { Effect, Layer, Option } from "effect"
import { hostLayer, operatorLayer } from "./Authorization.ts"
import { HostStore } from "./HostStore.ts"
import { Ingest } from "./Ingest.ts"
import { receiveReport } from "./ReportBody.ts"
import { StoreEpoch } from "./StoreEpoch.ts"
import { TokenStore } from "./TokenStore.ts"
import { unavailable } from "./Unavailable.ts"

type Group<Name extends string> = HttpApiGroup.ApiGroup<"felhom-hub", Name>

const healthLayer: Layer.Layer<Group<"health">, never, StoreEpoch> = HttpApiBuilder.group(
  HubApi,
  "health",
  (handlers) =>
    Effect.map(StoreEpoch, (storeEpoch) => handlers.handle("health", () => Effect.succeed({ version, storeEpoch })))
)

/** The report's own token, bound to that host now if it was to none. */
const admit = (hostId: HostId) =>
  Effect.gen(function*() {
    const { hostId: boundTo, tokenHash } = yield* HostPrincipal
    if (boundTo === hostId) return
    const tokens = yield* TokenStore
    const binding = boundTo === null
      ? yield* Effect.catchAll(tokens.bind(tokenHash, hostId), unavailable)
      : { hostId: boundTo }
    if ("takenBy" in binding) {
      return yield* new HubForbidden({
        message: `host ${hostId} has another token already (${binding.takenBy}); revoke that one first`
      })
    }
    if (binding.hostId !== hostId) {
      return yield* new HubForbidden({
        message: `this token belongs to host ${binding.hostId} and not to ${hostId}; each host needs its own`
      })
    }
  })

const reportsLayer: Layer.Layer<Group<"reports">, never, Ingest | TokenStore> = HttpApiBuilder.group(
  HubApi,
  "reports",
  (handlers) =>
    Effect.gen(function*() {
      const ingest = yield* Ingest
      const tokens = yield* TokenStore
      return handlers.handleRaw("report", ({ path, request }) =>
        Effect.gen(function*() {
          const { packed, report } = yield* receiveReport(NodeHttpServerRequest.toIncomingMessage(request))
          if (report.host.id !== path.hostId) {
            return yield* new HubBadReport({
              message: `the report's field host.id is ${report.host.id}, and its address says ${path.hostId}`
            })
          }
          yield* Effect.provideService(admit(report.host.id), TokenStore, tokens)
          return yield* Effect.catchAll(ingest.accept(report, packed), unavailable)
        }))
    })
).pipe(Layer.provide(hostLayer))

const notFound = (hostId: HostId): HubNotFound =>
  new HubNotFound({ message: `no host ${hostId} has ever reported to this hub` })

const found = (hostId: HostId) => <A>(value: Option.Option<A>): Effect.Effect<A, HubNotFound> =>
  Option.match(value, { onNone: () => Effect.fail(notFound(hostId)), onSome: Effect.succeed })

const hostsLayer: Layer.Layer<Group<"hosts">, never, HostStore | TokenStore> = HttpApiBuilder.group(
  HubApi,
  "hosts",
  (handlers) =>
    Effect.map(HostStore, (hosts) =>
      handlers
        .handle("list", () => Effect.catchAll(hosts.list, unavailable))
        .handle(
          "get",
          ({ path }) => hosts.get(path.hostId).pipe(Effect.catchAll(unavailable), Effect.flatMap(found(path.hostId)))
        )
        .handle("events", ({ path, urlParams }) =>
          hosts.events(path.hostId, urlParams.after, urlParams.limit).pipe(
            Effect.catchAll(unavailable),
            Effect.flatMap(found(path.hostId))
          )))
).pipe(Layer.provide(operatorLayer))

/** The API's handlers, over the hub's services. */
export const layer: Layer.Layer<HttpApi.Api, never, StoreEpoch | Ingest | TokenStore | HostStore> = HttpApiBuilder.api(
  HubApi
).pipe(
  Layer.provide([healthLayer, reportsLayer, hostsLayer])
)
