import { formatGuestRef, type StorageId } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"

/**
 * Tasks that touch no storage. Of all others the list does not tell which storage they work on (a backup's is in its parameters alone),
 * so each of them counts.
 */
const touchesNone = /^(?:.*proxy|.*shell|termproxy|apt.*|srv.*|acme.*|.*(?:shutdown|stop|suspend|reboot)|hastop)$/

/** Whose volumes are on a storage: guests' numbers, without those of backups. It can be asked only while the storage is switched on. */
export const ownersOn = (
  storage: StorageId
): Effect.Effect<ReadonlySet<number>, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const { rows } = yield* (yield* ProxmoxClient).storageContent(storage)
    return new Set(rows.flatMap(({ content, vmid }) => content === "backup" || vmid === null ? [] : [vmid]))
  })

/**
 * What may use a storage now, in words for each; none: it may be taken away. Which guests run is some seconds old (platform-facts 1.1); a
 * file system that is in use can't be unmounted, either.
 */
export const usesNow = (
  owners: ReadonlySet<number>
): Effect.Effect<ReadonlyArray<string>, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { rows } = yield* client.tasks({ source: "active", limit: 500 })
    const tasks = rows.filter(({ endtime, type }) => endtime === null && !touchesNone.test(type))
    if (tasks.length > 0) {
      return tasks.map(({ id, type }) =>
        `a task runs that may work on it: ${type}${id === null || id === "" ? "" : ` ${id}`}`
      )
    }
    if (owners.size === 0) return []
    const { guests } = yield* client.clusterResources
    return guests
      .filter((guest) => guest.node === client.node && guest.status === "running" && owners.has(guest.vmid))
      .map((guest) => `${formatGuestRef(guest)} runs and has a volume on it`)
  })
