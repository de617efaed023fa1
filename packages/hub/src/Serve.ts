import { HttpServer } from "@effect/platform"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { Console, Effect, Layer } from "effect"
import { resolve } from "node:path"
import * as AlarmStore from "./AlarmStore.ts"
import * as Challenges from "./Challenges.ts"
import * as Database from "./Database.ts"
import { DataFolder } from "./DataFolder.ts"
import * as EnrolmentTokens from "./EnrolmentTokens.ts"
import * as HostKeyStore from "./HostKeyStore.ts"
import * as HostStore from "./HostStore.ts"
import * as HubIdentity from "./HubIdentity.ts"
import * as HubServer from "./HubServer.ts"
import { HubSettings } from "./HubSettings.ts"
import * as Ingest from "./Ingest.ts"
import { type ListenAddress, urlHost } from "./ListenAddress.ts"
import * as RateLimit from "./RateLimit.ts"
import * as ReportAdmission from "./ReportAdmission.ts"
import * as StoreEpoch from "./StoreEpoch.ts"
import type { StoreError } from "./StoreError.ts"
import * as TokenStore from "./TokenStore.ts"
import * as TwinWatch from "./TwinWatch.ts"

export interface ServeOptions {
  readonly listen: ListenAddress
  /** The folder of the store and the TLS key; made when it is not there. */
  readonly data: string
  readonly reportIntervalSeconds: number
  readonly historyPerHost: number
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
  StoreError | HubIdentity.HubIdentityError | HubServer.ListenError
> =>
  HubServer.layer(options.listen).pipe(
    Layer.provide([StoreEpoch.layer, HostStore.layer, Ingest.layer, ReportAdmission.layer, Challenges.layer]),
    Layer.provide([EnrolmentTokens.layer, HostKeyStore.layer, AlarmStore.layer, TwinWatch.layer, RateLimit.layer]),
    Layer.provideMerge(Layer.merge(TokenStore.layer, HubIdentity.layer(options.listen.host))),
    Layer.provideMerge(Database.layer),
    Layer.provide([
      NodeCrypto.layer,
      NodeEd25519.layer,
      DataFolder.layer(resolve(options.data)),
      HubSettings.layer({
        reportIntervalSeconds: options.reportIntervalSeconds,
        historyPerHost: options.historyPerHost
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

/** Serves until it is interrupted. */
export const serve = (
  options: ServeOptions
): Effect.Effect<never, StoreError | HubIdentity.HubIdentityError | HubServer.ListenError> =>
  Effect.gen(function*() {
    yield* Effect.flatMap(readyLine(options.listen.host, resolve(options.data)), Console.log)
    yield* Effect.logInfo("hub is ready")
    return yield* Effect.never
  }).pipe(Effect.provide(layer(options)))
