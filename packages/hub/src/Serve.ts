import { HttpServer } from "@effect/platform"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeInstanceLock from "@felhom/node/NodeInstanceLock"
import { Console, Effect, Layer } from "effect"
import { hostname } from "node:os"
import { resolve } from "node:path"
import * as AlarmBook from "./AlarmBook.ts"
import * as AlarmStore from "./AlarmStore.ts"
import * as AlarmWatch from "./AlarmWatch.ts"
import * as CachedEd25519 from "./CachedEd25519.ts"
import * as Challenges from "./Challenges.ts"
import * as Database from "./Database.ts"
import { DataFolder } from "./DataFolder.ts"
import * as DesiredBook from "./DesiredBook.ts"
import * as EnrolmentTokens from "./EnrolmentTokens.ts"
import * as ExpectedHosts from "./ExpectedHosts.ts"
import * as HistoryStore from "./HistoryStore.ts"
import * as HostJudge from "./HostJudge.ts"
import * as HostKeyStore from "./HostKeyStore.ts"
import * as HostStore from "./HostStore.ts"
import * as HubIdentity from "./HubIdentity.ts"
import * as HubServer from "./HubServer.ts"
import { HubSettings } from "./HubSettings.ts"
import * as HubUptime from "./HubUptime.ts"
import * as Ingest from "./Ingest.ts"
import { type ListenAddress, urlHost } from "./ListenAddress.ts"
import { type Channel, NoticeChannels } from "./NoticeChannels.ts"
import * as OpQueue from "./OpQueue.ts"
import * as Outbox from "./Outbox.ts"
import * as RateLimit from "./RateLimit.ts"
import * as ReportAdmission from "./ReportAdmission.ts"
import * as ReportDesk from "./ReportDesk.ts"
import * as ServeLock from "./ServeLock.ts"
import * as SignersChain from "./SignersChain.ts"
import * as StoreCap from "./StoreCap.ts"
import * as StoreEpoch from "./StoreEpoch.ts"
import type { StoreError } from "./StoreError.ts"
import * as TokenStore from "./TokenStore.ts"
import * as TwinWatch from "./TwinWatch.ts"

export interface ServeOptions {
  readonly listen: ListenAddress
  /** The folder of the store and the TLS key; made when it is not there. */
  readonly data: string
  readonly reportIntervalSeconds: number
  /** How many bytes the store may hold before its oldest history goes. */
  readonly maxStoreBytes: number
  /** How people are told of alarms; without any they have to look. */
  readonly channels?: ReadonlyArray<Channel>
  /** What the hub is called in notices. */
  readonly name?: string
}

/** The token commands' part of the hub: they work on the store beside a running hub. */
export const tokenLayer = (data: string): Layer.Layer<TokenStore.TokenStore, StoreError> =>
  TokenStore.layer.pipe(
    Layer.provide([Database.layer, NodeCrypto.layer]),
    Layer.provide(DataFolder.layer(resolve(data)))
  )

/** The whole hub, listening. */
export const layer = (
  options: ServeOptions
): Layer.Layer<
  HttpServer.HttpServer | HubIdentity.HubIdentity | Database.Database | TokenStore.TokenStore,
  StoreError | HubIdentity.HubIdentityError | HubServer.ListenError | ServeLock.ServeLockError
> =>
  HubServer.layer(options.listen).pipe(
    Layer.merge(AlarmWatch.running),
    Layer.merge(StoreCap.running),
    Layer.provide(AlarmWatch.layer(options.name ?? hostname())),
    Layer.provide([Outbox.layer, ExpectedHosts.layer]),
    Layer.provide([HistoryStore.layer, HostStore.layer, ReportDesk.layer, Challenges.layer]),
    Layer.provide([Ingest.layer, ReportAdmission.layer, OpQueue.layer, SignersChain.layer, DesiredBook.layer]),
    Layer.provide(StoreEpoch.layer),
    Layer.provide([EnrolmentTokens.layer, HostKeyStore.layer, TwinWatch.layer, RateLimit.layer]),
    Layer.provide(HostJudge.layer),
    Layer.provide([AlarmStore.layer, AlarmBook.layer, HubUptime.layer]),
    Layer.provideMerge(Layer.merge(TokenStore.layer, HubIdentity.layer(options.listen.host))),
    Layer.provideMerge(Layer.provide(Database.layer, ServeLock.layer)),
    Layer.provide([
      NodeInstanceLock.layer,
      NodeCrypto.layer,
      CachedEd25519.layer,
      NoticeChannels.layer(options.channels ?? []),
      DataFolder.layer(resolve(options.data)),
      HubSettings.layer({
        reportIntervalSeconds: options.reportIntervalSeconds,
        maxStoreBytes: options.maxStoreBytes
      })
    ])
  )

/** What a running hub says of itself, once, as one JSON line: all that an agent's configuration needs but the token. */
const readyLine = (listenHost: string, dataDir: string) =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    const identity = yield* HubIdentity.HubIdentity
    const port = address._tag === "TcpAddress" ? address.port : 0
    return JSON.stringify({
      ready: true,
      url: `https://${urlHost(listenHost)}:${port}`,
      fingerprint: formatFingerprint(identity.leafSha256),
      spki: `spki:${formatFingerprint(identity.spkiSha256)}`,
      dataDir
    })
  })

/** Serves until it is interrupted, or can't store anything any more. */
export const serve = (
  options: ServeOptions
): Effect.Effect<
  never,
  StoreError | HubIdentity.HubIdentityError | HubServer.ListenError | ServeLock.ServeLockError
> =>
  Effect.gen(function*() {
    yield* Effect.flatMap(readyLine(options.listen.host, resolve(options.data)), Console.log)
    yield* Effect.logInfo("hub is ready")
    return yield* Effect.flatMap(Database.Database, ({ died }) => died)
  }).pipe(Effect.provide(layer(options)))
