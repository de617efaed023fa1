import { FileSystem, type HttpClient } from "@effect/platform"
import { reportNamespace } from "@felhom/domain/HostKey"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFileError } from "@felhom/domain/port/DurableFile"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import type { InstanceLockError } from "@felhom/domain/port/InstanceLock"
import * as StateFile from "@felhom/durable/StateFile"
import * as HubClient from "@felhom/hub-client/HubClient"
import { HubClientConfig } from "@felhom/hub-client/HubClientConfig"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { gzip } from "@felhom/node/NodeGzip"
import * as NodeInstanceLock from "@felhom/node/NodeInstanceLock"
import * as NodeRootSocket from "@felhom/node/NodeRootSocket"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import type { Privileged } from "@felhom/privileged/Privileged"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import * as Observer from "@felhom/reconciler/Observer"
import { Effect, Layer } from "effect"
import * as HostKey from "./enrol/HostKey.ts"
import * as FolderLock from "./FolderLock.ts"
import * as Settings from "./Settings.ts"
import type { SettingsError } from "./SettingsError.ts"

type Configured = Settings.SettingsSource | FileSystem.FileSystem

/** A client for one peer only: what carries a secret to Proxmox can't reach the hub, and the other way round. */
export const pinned = (settings: Settings.Peer): Layer.Layer<HttpClient.HttpClient> =>
  PinnedHttp.layer({ peer: settings.url.host, pins: settings.pins })

/** Proxmox VE, as the settings say. */
export const proxmox: Layer.Layer<
  ProxmoxClient.ProxmoxClient | TaskWaiter.TaskWaiter,
  SettingsError,
  Configured
> = Layer.unwrapEffect(Effect.map(Settings.proxmoxSettings, (settings) =>
  TaskWaiter.layer.pipe(
    Layer.provideMerge(ProxmoxClient.layer),
    Layer.provide(Layer.merge(pinned(settings), Layer.succeed(ProxmoxConfig, settings)))
  )))

/** This host's key, and the curve that it is on. */
export const hostKey: Layer.Layer<
  HostKey.HostKey | Ed25519,
  SettingsError | HostKey.HostKeyCorrupt | DurableFileError,
  Configured
> = Layer.unwrapEffect(
  Effect.map(Settings.stateDirectory, (directory) => Layer.provide(HostKey.layer(directory), NodeDurableFile.layer))
).pipe(Layer.provideMerge(NodeEd25519.layer))

/** A host on a full or read-only disk that has no key yet must still be heard; one whose key is pinned is refused unsigned. */
const signer: Effect.Effect<
  Pick<typeof HubClientConfig.Service, "sign">,
  SettingsError | HostKey.HostKeyCorrupt,
  Configured
> = HostKey.HostKey.pipe(
  Effect.map((key) => ({ sign: (body: Uint8Array) => key.sign(reportNamespace, body) })),
  Effect.provide(hostKey),
  Effect.catchTag(
    "DurableFileError",
    (error) => Effect.as(Effect.logError("this host's key can't be kept; reports go out unsigned", error.message), {})
  )
)

/** The hub, as the settings say; every report goes out signed by this host's key. */
export const hub: Layer.Layer<HubClient.HubClient, SettingsError | HostKey.HostKeyCorrupt, Configured> = Layer
  .unwrapEffect(
    Effect.zipWith(Settings.hubSettings, signer, (settings, signing) =>
      HubClient.layer.pipe(
        // It refuses a URL that is not https; the settings have refused that before.
        Layer.orDie,
        Layer.provide(
          Layer.merge(pinned(settings), Layer.succeed(HubClientConfig, { ...settings, ...signing, pack: gzip }))
        )
      ))
  )

/** The root side, reached over its sockets: this process starts no program. */
export const privileged: Layer.Layer<Privileged, SettingsError, Configured> = Layer.unwrapEffect(
  Effect.map(
    Settings.runtimeDirectory,
    (directory) =>
      PrivilegedSocket.layer.pipe(Layer.provide(NodeRootSocket.layer({ directory, timeout: "20 seconds" })))
  )
)

export const crypto: Layer.Layer<Crypto> = NodeCrypto.layer

export const observer: Layer.Layer<
  Observer.Observer,
  SettingsError,
  Configured | ProxmoxClient.ProxmoxClient | Crypto
> = Layer.provide(Observer.layer, privileged)

type StateError = SettingsError | StateFile.StateFileCorrupt | DurableFileError

/** The state, for a program that runs beside the daemon and only wants to know who this host is. */
export const state: Layer.Layer<StateFile.StateFile, StateError, Configured | Crypto> = Layer.unwrapEffect(
  Effect.map(Settings.stateDirectory, (directory) => Layer.provide(StateFile.layer(directory), NodeDurableFile.layer))
)

/** The state, for the one daemon that may write it, and the lock by which it is the one. */
export const lockedState: Layer.Layer<
  StateFile.StateFile | FolderLock.FolderLock,
  StateError | InstanceLockError,
  Configured | Crypto
> = Layer.unwrapEffect(
  Effect.map(
    Settings.stateDirectory,
    (directory) =>
      Layer.provide(StateFile.layer(directory), FolderLock.lockedFiles).pipe(
        Layer.provideMerge(FolderLock.layer(directory)),
        Layer.provide([NodeInstanceLock.layer, NodeDurableFile.layer])
      )
  )
)

/** The kernel's id of this boot, or null where the kernel has none to tell. */
export const bootId: Effect.Effect<string | null, never, FileSystem.FileSystem> = Effect.flatMap(
  FileSystem.FileSystem,
  (fs) => fs.readFileString("/proc/sys/kernel/random/boot_id")
).pipe(Effect.map((text) => text.trim()), Effect.orElseSucceed(() => null))
