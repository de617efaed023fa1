import type { HostPolicy } from "@felhom/authz/HostPolicy"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import type { Hold } from "@felhom/durable/Hold"
import type { StateFile } from "@felhom/durable/StateFile"
import { Privileged } from "@felhom/privileged/Privileged"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import * as HostStorageKeeper from "@felhom/reconciler/storage/HostStorageKeeper"
import { Context, Effect, type Scope } from "effect"
import * as HealthWatch from "../health/HealthWatch.ts"
import type { OpDesk } from "../ops/OpDesk.ts"
import { storageSecrets } from "./StorageSecrets.ts"

/** What looks after the host's disks, storages and health, beside the loop. */
export type HostCare = HealthWatch.HealthWatch | HostStorageKeeper.HostStorageKeeper

type Needs = ProxmoxClient | StateFile | DurableFile | Crypto | HostPolicy | Hold

interface CarePlaces {
  readonly stateDirectory: string
  /** systemd's folder of credentials. */
  readonly credentials?: string
}

/** Begins it. Disks are asked for nothing before the loop has seen the host. It ends with the scope. */
export const startCare = (
  places: CarePlaces,
  privileged: typeof Privileged.Service
): Effect.Effect<Context.Context<HostCare>, never, Needs | Scope.Scope> =>
  Effect.gen(function*() {
    const keeper = yield* HostStorageKeeper.make(places.stateDirectory, storageSecrets(places.credentials))
    const health = yield* HealthWatch.make(places.stateDirectory, keeper.sightings)
    yield* Effect.forkScoped(keeper.run)
    yield* Effect.forkScoped(health.run)
    return Context.make(HealthWatch.HealthWatch, health).pipe(
      Context.add(HostStorageKeeper.HostStorageKeeper, keeper)
    )
  }).pipe(Effect.provideService(Privileged, privileged))

/** The desk, with what is found out beside it in its reports, and with what it sees told to whoever looks after that. */
export const withCare = (desk: OpDesk, care: Context.Context<HostCare>): OpDesk => {
  const health = Context.get(care, HealthWatch.HealthWatch)
  const keeper = Context.get(care, HostStorageKeeper.HostStorageKeeper)
  return {
    ...desk,
    beside: Effect.zipWith(health.section, keeper.section, (judged, kept) => ({
      health: judged,
      ...(kept === undefined ? {} : { hostStorage: kept })
    })),
    pursue: (observation) => Effect.zipRight(health.saw(observation), desk.pursue(observation))
  }
}
