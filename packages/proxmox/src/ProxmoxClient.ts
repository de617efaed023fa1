import { HttpClient } from "@effect/platform"
import type { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { Context, Effect, Layer } from "effect"
import { type AccessApi, makeAccessApi } from "./AccessApi.ts"
import { type BackupApi, makeBackupApi } from "./BackupApi.ts"
import { makeCaller } from "./Caller.ts"
import { type GuestApi, makeGuestApi } from "./GuestApi.ts"
import { makeNodeApi, type NodeApi } from "./NodeApi.ts"
import { makeProvisionApi, type ProvisionApi } from "./ProvisionApi.ts"
import { ProxmoxConfig, type ProxmoxSettings } from "./ProxmoxConfig.ts"
import { makeSnapshotApi, type SnapshotApi } from "./SnapshotApi.ts"
import { makeStorageApi, type StorageApi } from "./StorageApi.ts"
import { makeTaskApi, type TaskApi } from "./TaskApi.ts"
import { make as makeTransport } from "./Transport.ts"
import { makeVolumeApi, type VolumeApi } from "./VolumeApi.ts"

/** All calls to one node, by area; each area is a file of its own. */
export interface ProxmoxApi
  extends NodeApi, GuestApi, SnapshotApi, VolumeApi, ProvisionApi, BackupApi, StorageApi, AccessApi, TaskApi
{
  /** The node whose guests, storages and tasks these calls are about. */
  readonly node: NodeName
  /** As whom they are made. */
  readonly tokenId: TokenId
}

/**
 * Typed calls to one node of Proxmox VE over its API, as the configured token.
 *
 * At most two calls are in flight and each request ends within 60 s; answers above 16 MiB are refused. Writes are sent once and never
 * again: when one gets no answer its error has the reason `outcome-unknown`. A read is repeated once if the server closed the
 * idle connection under it. Lists name the rows that could not be read instead of failing.
 *
 * What can be lost for good takes a `Mandate` for exactly that object, which is spent just before the request leaves.
 *
 * @see platform-facts 1 for the endpoints, 2.4 for the privilege that each one takes
 */
export class ProxmoxClient extends Context.Tag("felhom/proxmox/ProxmoxClient")<ProxmoxClient, ProxmoxApi>() {}

/** The only one that talks: over the `HttpClient` it is given, to the host of its config. */
export const make = (client: HttpClient.HttpClient, settings: ProxmoxSettings): Effect.Effect<ProxmoxApi> =>
  Effect.map(makeTransport(client, settings), (transport) => {
    const { node, tokenId } = settings
    const caller = makeCaller(transport, node)
    return {
      node,
      tokenId,
      ...makeNodeApi(caller),
      ...makeGuestApi(caller),
      ...makeSnapshotApi(caller),
      ...makeVolumeApi(caller),
      ...makeProvisionApi(caller),
      ...makeBackupApi(caller),
      ...makeStorageApi(caller),
      ...makeAccessApi(caller, tokenId),
      ...makeTaskApi(caller)
    }
  })

/** The client that `make` makes. */
export const layer: Layer.Layer<ProxmoxClient, never, HttpClient.HttpClient | ProxmoxConfig> = Layer.effect(
  ProxmoxClient,
  Effect.flatMap(Effect.all([HttpClient.HttpClient, ProxmoxConfig]), ([client, settings]) => make(client, settings))
).pipe(Layer.ensureRequirementsType<HttpClient.HttpClient | ProxmoxConfig>())
