import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"
import type { GuestMaking } from "../plan/PlanStep.ts"

const first = 100
const last = 999_999_999

/** How many numbers that looked free may turn out to be taken by guests that the token can't see. */
const triesAtMost = 20

/** Numbers in the names of volumes and archives: they are their guest's, or were (platform-facts 1.5.1). */
const numbersOn = (storage: StorageId): Effect.Effect<ReadonlyArray<number>, ProxmoxError, ProxmoxClient> =>
  Effect.flatMap(ProxmoxClient, (client) =>
    Effect.map(
      client.storageContent(storage),
      ({ rows }) => rows.flatMap(({ vmid }) => vmid === null ? [] : [vmid])
    ))

/**
 * The lowest number that no guest of the cluster has, that has left no volume and no archive where the new guest and its image
 * lie, that is none of `taken`, and that the policy does not keep for drills. Undefined where twenty in a row belong to guests
 * that the token can't see. A number whose leftovers are on a storage is not used again: Proxmox takes them for the new guest's.
 */
export const chooseVmid = (
  { archive, storage }: Pick<GuestMaking, "archive" | "storage">,
  { scratch }: Pick<DesiredPolicy, "scratch">,
  taken: Iterable<number>
): Effect.Effect<Vmid | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { guests } = yield* client.clusterResources
    const storages = new Set([storage, StorageId.make(archive.slice(0, archive.indexOf(":")))])
    const leftovers = yield* Effect.forEach(storages, numbersOn)
    const used = new Set<number>([...taken, ...guests.map(({ vmid }) => vmid), ...leftovers.flat()])
    let tries = 0
    for (let number = first; number <= last && tries < triesAtMost; number += 1) {
      if (scratch !== null && number >= scratch.from && number <= scratch.to) {
        number = scratch.to
        continue
      }
      if (used.has(number)) continue
      const vmid = Vmid.make(number)
      if (yield* client.vmidIsFree(vmid)) return vmid
      tries += 1
    }
    return undefined
  })
