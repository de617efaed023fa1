import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import { type GuestRef, type GuestType, StorageId, Vmid } from "@felhom/domain/ProxmoxId"
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

const holdsGuests = ({ content }: { readonly content: ReadonlyArray<string> }): boolean =>
  content.includes("images") || content.includes("rootdir")

/**
 * Storages on which the number may have left something. A machine's restore takes whatever there is of its number for its own, on
 * any storage (qemu-server, rescan); a container's is only in the way where its own volumes lie.
 */
const placesFor = ({ archive, storage }: Pick<GuestMaking, "archive" | "storage">, type: GuestType) =>
  Effect.gen(function*() {
    const near = [storage, StorageId.make(archive.slice(0, archive.indexOf(":")))]
    if (type === "lxc") return new Set(near)
    const { rows } = yield* (yield* ProxmoxClient).storages
    return new Set([...near, ...rows.flatMap((row) => row.active && holdsGuests(row) ? [row.storage] : [])])
  })

/** A volume that a number has; `size` in bytes, null: not known. */
export interface Leftover {
  readonly volid: string
  readonly size: number | null
}

/** Volumes that a number has on any storage that can be reached. */
export const leftoversOf = ({ vmid }: GuestRef): Effect.Effect<ReadonlyArray<Leftover>, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows } = yield* client.storages
    const lists = yield* Effect.forEach(
      rows.filter((row) => row.active && holdsGuests(row)),
      ({ storage }) => client.storageContent(storage, { vmid })
    )
    return lists.flatMap(({ rows: found }) =>
      found.flatMap(({ content, size, volid }) =>
        content === "images" || content === "rootdir" ? [{ volid, size }] : []
      )
    )
  })

/**
 * The lowest number that no guest of the cluster has, that has left no volume and no archive where the new guest and its image
 * lie, that is none of `taken`, and that the policy does not keep for drills. Undefined where twenty in a row belong to guests
 * that the token can't see. A number whose leftovers are on a storage is not used again: Proxmox takes them for the new guest's.
 */
export const chooseVmid = (
  place: Pick<GuestMaking, "archive" | "storage">,
  type: GuestType,
  { scratch }: Pick<DesiredPolicy, "scratch">,
  taken: Iterable<number>
): Effect.Effect<Vmid | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { guests } = yield* client.clusterResources
    const leftovers = yield* Effect.forEach(yield* placesFor(place, type), numbersOn)
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
