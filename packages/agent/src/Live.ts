import { FileSystem, type HttpClient } from "@effect/platform"
import { reportNamespace } from "@felhom/domain/HostKey"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import type { InstanceLockError } from "@felhom/domain/port/InstanceLock"
import * as StateFile from "@felhom/durable/StateFile"
import * as HubClient from "@felhom/hub-client/HubClient"
import type { HubClientConfig } from "@felhom/hub-client/HubClientConfig"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { gzip } from "@felhom/node/NodeGzip"
import * as NodeInstanceLock from "@felhom/node/NodeInstanceLock"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import { Privileged } from "@felhom/privileged/Privileged"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { answerLimitMillis } from "@felhom/proxmox/Transport"
import * as Observer from "@felhom/reconciler/Observer"
import { Context, Effect, Layer, type Scope } from "effect"
import * as HostKey from "./enrol/HostKey.ts"
import * as FolderLock from "./FolderLock.ts"
import { rootSide } from "./RootSide.ts"
import * as Settings from "./Settings.ts"
import type { SettingsError } from "./SettingsError.ts"

// One effect makes the services of one concern, and a layer is put around it for each program that wants them. The daemon makes
// all of them in one: to put together a layer for each service was a quarter of its start.

type Configured = Settings.SettingsSource | FileSystem.FileSystem

/** A client for one peer only: what carries a secret to Proxmox can't reach the hub, and the other way round. */
const pinnedTo = (
  peer: Settings.Peer,
  answerWithinMillis: number
): Effect.Effect<HttpClient.HttpClient, never, Scope.Scope> =>
  PinnedHttp.make({ peer: peer.url.host, pins: peer.pins, answerWithinMillis })

/** The same for whoever sets a limit for each exchange. */
export const pinned = (peer: Settings.Peer): Layer.Layer<HttpClient.HttpClient> =>
  PinnedHttp.layer({ peer: peer.url.host, pins: peer.pins })

type Proxmox = ProxmoxClient.ProxmoxClient | TaskWaiter.TaskWaiter

const makeProxmox = (
  settings: Settings.ProxmoxSettings
): Effect.Effect<Context.Context<Proxmox>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient.make(yield* pinnedTo(settings, answerLimitMillis), settings)
    return Context.make(ProxmoxClient.ProxmoxClient, client).pipe(
      Context.add(TaskWaiter.TaskWaiter, TaskWaiter.make(client))
    )
  })

/** Proxmox VE, as the settings say. */
export const proxmox: Layer.Layer<Proxmox, SettingsError, Configured> = Layer.scopedContext(
  Effect.flatMap(Settings.proxmoxSettings, makeProxmox)
)

const readHostKey = Effect.flatMap(
  Settings.stateDirectory,
  (directory) => HostKey.make(directory, NodeDurableFile.make(), NodeEd25519.ed25519)
)

/** This host's key, and the curve that it is on. */
export const hostKey: Layer.Layer<
  HostKey.HostKey | Ed25519,
  SettingsError | HostKey.HostKeyCorrupt | DurableFileError,
  Configured
> = Layer.effectContext(
  Effect.map(readHostKey, (key) => Context.make(HostKey.HostKey, key).pipe(Context.add(Ed25519, NodeEd25519.ed25519)))
)

/** A host on a full or read-only disk that has no key yet must still be heard; one whose key is pinned is refused unsigned. */
const signer: Effect.Effect<
  Pick<typeof HubClientConfig.Service, "sign">,
  SettingsError | HostKey.HostKeyCorrupt,
  Configured
> = readHostKey.pipe(
  Effect.map((key) => ({ sign: (body: Uint8Array) => key.sign(reportNamespace, body) })),
  Effect.catchTag(
    "DurableFileError",
    (error) => Effect.as(Effect.logError("this host's key can't be kept; reports go out unsigned", error.message), {})
  )
)

const makeHub = (
  settings: Settings.HubSettings
): Effect.Effect<
  Context.Tag.Service<HubClient.HubClient>,
  SettingsError | HostKey.HostKeyCorrupt,
  Configured | Scope.Scope
> =>
  Effect.gen(function*() {
    const signing = yield* signer
    const http = yield* pinnedTo(settings, HubClient.exchangeLimitMillis)
    // It refuses a URL that is not https; the settings have refused that before.
    return yield* Effect.orDie(HubClient.make(http, { ...settings, ...signing, pack: gzip }))
  })

/** The hub, as the settings say; every report goes out signed by this host's key. */
export const hub: Layer.Layer<HubClient.HubClient, SettingsError | HostKey.HostKeyCorrupt, Configured> = Layer.scoped(
  HubClient.HubClient,
  Effect.flatMap(Settings.hubSettings, makeHub)
)

export const crypto: Layer.Layer<Crypto> = NodeCrypto.layer

const makeObserver: Effect.Effect<
  Context.Tag.Service<Observer.Observer>,
  SettingsError,
  Configured | ProxmoxClient.ProxmoxClient | Crypto
> = Effect.flatMap(
  Settings.runtimeDirectory,
  (directory) => Effect.provideService(Observer.make, Privileged, rootSide(directory))
)

/** What looks at the host. */
export const observer: Layer.Layer<
  Observer.Observer,
  SettingsError,
  Configured | ProxmoxClient.ProxmoxClient | Crypto
> = Layer.effect(Observer.Observer, makeObserver)

type StateError = SettingsError | StateFile.StateFileCorrupt | DurableFileError

/** The state, for a program that runs beside the daemon and only wants to know who this host is. */
export const state: Layer.Layer<StateFile.StateFile, StateError, Configured | Crypto> = Layer.effect(
  StateFile.StateFile,
  Effect.flatMap(
    Settings.stateDirectory,
    (directory) => Effect.provideService(StateFile.make(directory), DurableFile, NodeDurableFile.make())
  )
)

/** The state, for the one daemon that may write it, and the lock by which it is the one. */
const makeLockedState: Effect.Effect<
  Context.Context<StateFile.StateFile | FolderLock.FolderLock>,
  StateError | InstanceLockError,
  Configured | Crypto | Scope.Scope
> = Effect.gen(function*() {
  const directory = yield* Settings.stateDirectory
  const lock = yield* FolderLock.make(directory, NodeInstanceLock.instanceLock)
  const files = FolderLock.locked(NodeDurableFile.make(), lock)
  const opened = yield* Effect.provideService(StateFile.make(directory), DurableFile, files)
  return Context.make(FolderLock.FolderLock, lock).pipe(Context.add(StateFile.StateFile, opened))
})

/** All that the daemon stands on, once all its settings are right. */
export const daemon: Layer.Layer<
  Observer.Observer | HubClient.HubClient | StateFile.StateFile | FolderLock.FolderLock | Proxmox | Crypto,
  StateError | InstanceLockError | HostKey.HostKeyCorrupt,
  Configured
> = Layer.scopedContext(Effect.gen(function*() {
  const [proxmoxSettings, hubSettings] = yield* Settings.allSettings
  const around = Context.merge(yield* makeProxmox(proxmoxSettings), Context.make(Crypto, NodeCrypto.crypto))
  const locked = yield* Effect.provide(makeLockedState, around)
  const looking = yield* Effect.provide(makeObserver, around)
  const telling = yield* makeHub(hubSettings)
  return Context.mergeAll(
    around,
    locked,
    Context.make(Observer.Observer, looking),
    Context.make(HubClient.HubClient, telling)
  )
}))

/** The kernel's id of this boot, or null where the kernel has none to tell. */
export const bootId: Effect.Effect<string | null, never, FileSystem.FileSystem> = Effect.flatMap(
  FileSystem.FileSystem,
  (fs) => fs.readFileString("/proc/sys/kernel/random/boot_id")
).pipe(Effect.map((text) => text.trim()), Effect.orElseSucceed(() => null))
