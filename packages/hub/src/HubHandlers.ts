import { type HttpApi, HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { NodeHttpServerRequest } from "@effect/platform-node"
import type { HostId } from "@felhom/domain/HostId"
import { signatureHeader } from "@felhom/domain/HostKey"
import { HubApi } from "@felhom/domain/HubApi"
import { HubBadReport, HubNotFound } from "@felhom/domain/HubRefusal"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import { version } from "@felhom/domain/Version"
import { Effect, Layer, Option } from "effect"
import type { AlarmStore } from "./AlarmStore.ts"
import { hostLayer, operatorLayer } from "./Authorization.ts"
import type { Challenges } from "./Challenges.ts"
import { administrationLayer, enrolmentLayer } from "./EnrolmentHandlers.ts"
import type { EnrolmentTokens } from "./EnrolmentTokens.ts"
import type { HostKeyStore } from "./HostKeyStore.ts"
import { HostStore } from "./HostStore.ts"
import { Ingest } from "./Ingest.ts"
import { RateLimit } from "./RateLimit.ts"
import { ReportAdmission } from "./ReportAdmission.ts"
import { receiveReport } from "./ReportBody.ts"
import { limitedByToken } from "./RequestLimits.ts"
import { StoreEpoch } from "./StoreEpoch.ts"
import type { TokenStore } from "./TokenStore.ts"
import type { TwinWatch } from "./TwinWatch.ts"
import { unavailable } from "./Unavailable.ts"

type Group<Name extends string> = HttpApiGroup.ApiGroup<"felhom-hub", Name>

const healthLayer: Layer.Layer<Group<"health">, never, StoreEpoch> = HttpApiBuilder.group(
  HubApi,
  "health",
  (handlers) =>
    Effect.map(StoreEpoch, (storeEpoch) => handlers.handle("health", () => Effect.succeed({ version, storeEpoch })))
)

const reportsLayer: Layer.Layer<
  Group<"reports">,
  never,
  Ingest | ReportAdmission | RateLimit | TokenStore
> = HttpApiBuilder.group(
  HubApi,
  "reports",
  (handlers) =>
    Effect.gen(function*() {
      const ingest = yield* Ingest
      const admission = yield* ReportAdmission
      const limits = yield* RateLimit
      return handlers.handleRaw("report", ({ path, request }) =>
        Effect.gen(function*() {
          yield* Effect.provideService(limitedByToken, RateLimit, limits)
          const received = yield* receiveReport(NodeHttpServerRequest.toIncomingMessage(request))
          const { packed, report } = received
          if (report.host.id !== path.hostId) {
            return yield* new HubBadReport({
              message: `the report's field host.id is ${report.host.id}, and its address says ${path.hostId}`
            })
          }
          const signature = yield* admission.admit(received, request.headers[signatureHeader])
          return yield* Effect.catchAll(ingest.accept(report, packed, Option.getOrUndefined(signature)), unavailable)
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
        .handle(
          "report",
          ({ path }) => hosts.signed(path.hostId).pipe(Effect.catchAll(unavailable), Effect.flatMap(found(path.hostId)))
        )
        .handle("events", ({ path, urlParams }) =>
          hosts.events(path.hostId, urlParams.after, urlParams.limit).pipe(
            Effect.catchAll(unavailable),
            Effect.flatMap(found(path.hostId))
          )))
).pipe(Layer.provide(operatorLayer))

/** What the handlers stand on. */
export type Services =
  | StoreEpoch
  | Ingest
  | ReportAdmission
  | RateLimit
  | TokenStore
  | HostStore
  | HostKeyStore
  | EnrolmentTokens
  | Challenges
  | AlarmStore
  | TwinWatch
  | Ed25519

/** The API's handlers, over the hub's services. */
export const layer: Layer.Layer<HttpApi.Api, never, Services> = HttpApiBuilder.api(
  HubApi
).pipe(
  Layer.provide([healthLayer, reportsLayer, hostsLayer, enrolmentLayer, administrationLayer])
)
