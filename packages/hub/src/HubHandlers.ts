import { type HttpApi, HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { NodeHttpServerRequest } from "@effect/platform-node"
import type { HostId } from "@felhom/domain/HostId"
import { HubApi } from "@felhom/domain/HubApi"
import { HostPrincipal } from "@felhom/domain/HubPrincipal"
import { HubNotFound } from "@felhom/domain/HubRefusal"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import { Effect, Layer, Option } from "effect"
import type { AlarmBook } from "./AlarmBook.ts"
import * as AlarmHandlers from "./AlarmHandlers.ts"
import type { AlarmStore } from "./AlarmStore.ts"
import type { AlarmWatch } from "./AlarmWatch.ts"
import { hostLayer, operatorLayer } from "./Authorization.ts"
import type { Challenges } from "./Challenges.ts"
import type { Database } from "./Database.ts"
import type { DesiredBook } from "./DesiredBook.ts"
import * as DesiredHandlers from "./DesiredHandlers.ts"
import { administrationLayer, enrolmentLayer } from "./EnrolmentHandlers.ts"
import type { EnrolmentTokens } from "./EnrolmentTokens.ts"
import type { ExpectedHosts } from "./ExpectedHosts.ts"
import * as HealthHandlers from "./HealthHandlers.ts"
import { HistoryStore } from "./HistoryStore.ts"
import type { HostKeyStore } from "./HostKeyStore.ts"
import { HostStore } from "./HostStore.ts"
import * as OpHandlers from "./OpHandlers.ts"
import type { OpQueue } from "./OpQueue.ts"
import type { Outbox } from "./Outbox.ts"
import { RateLimit } from "./RateLimit.ts"
import { ReportDesk } from "./ReportDesk.ts"
import { limitedByToken } from "./RequestLimits.ts"
import type { SignersChain } from "./SignersChain.ts"
import * as SignersHandlers from "./SignersHandlers.ts"
import type { StoreEpoch } from "./StoreEpoch.ts"
import type { TokenStore } from "./TokenStore.ts"
import type { TwinWatch } from "./TwinWatch.ts"
import { unavailable } from "./Unavailable.ts"

type Group<Name extends string> = HttpApiGroup.ApiGroup<"felhom-hub", Name>

const reportsLayer: Layer.Layer<
  Group<"reports">,
  never,
  ReportDesk | RateLimit | TokenStore
> = HttpApiBuilder.group(
  HubApi,
  "reports",
  (handlers) =>
    Effect.gen(function*() {
      const desk = yield* ReportDesk
      const limits = yield* RateLimit
      return handlers.handleRaw("report", ({ path, request }) =>
        Effect.zipRight(
          Effect.provideService(limitedByToken, RateLimit, limits),
          Effect.flatMap(
            HostPrincipal,
            (principal) =>
              desk.take(path.hostId, NodeHttpServerRequest.toIncomingMessage(request), { principal, remembered: null })
          )
        ))
    })
).pipe(Layer.provide(hostLayer))

const notFound = (hostId: HostId): HubNotFound =>
  new HubNotFound({ message: `no host ${hostId} has ever reported to this hub` })

const found = (hostId: HostId) => <A>(value: Option.Option<A>): Effect.Effect<A, HubNotFound> =>
  Option.match(value, { onNone: () => Effect.fail(notFound(hostId)), onSome: Effect.succeed })

const hostsLayer: Layer.Layer<Group<"hosts">, never, HistoryStore | HostStore | TokenStore> = HttpApiBuilder.group(
  HubApi,
  "hosts",
  (handlers) =>
    Effect.map(Effect.all({ history: HistoryStore, hosts: HostStore }), ({ history, hosts }) =>
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
          ))
        .handle("history", ({ path, urlParams }) =>
          history.since(path.hostId, urlParams.since).pipe(
            Effect.catchAll(unavailable),
            Effect.flatMap(found(path.hostId))
          )))
).pipe(Layer.provide(operatorLayer))

/** What the handlers stand on. */
export type Services =
  | StoreEpoch
  | ReportDesk
  | RateLimit
  | TokenStore
  | HistoryStore
  | HostStore
  | HostKeyStore
  | EnrolmentTokens
  | Challenges
  | AlarmStore
  | AlarmBook
  | AlarmWatch
  | Crypto
  | Database
  | ExpectedHosts
  | OpQueue
  | SignersChain
  | DesiredBook
  | Outbox
  | TwinWatch
  | Ed25519

/** The API's handlers, over the hub's services. */
export const layer: Layer.Layer<HttpApi.Api, never, Services> = HttpApiBuilder.api(
  HubApi
).pipe(
  Layer.provide([
    HealthHandlers.layer,
    AlarmHandlers.layer,
    OpHandlers.layer,
    SignersHandlers.layer,
    DesiredHandlers.layer,
    reportsLayer,
    hostsLayer,
    enrolmentLayer,
    administrationLayer
  ])
)
