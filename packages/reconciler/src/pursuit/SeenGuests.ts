import { guestIdentity } from "@felhom/domain/GuestConfig"
import { formatGuestRef } from "@felhom/domain/ProxmoxId"
import type { StorageRow } from "@felhom/proxmox/StorageRows"
import type { SeenHost } from "../Observation.ts"
import { keyedIdentity } from "../plan/Matching.ts"
import type {
  MadeGuest,
  ObservedGuest,
  ObservedHost,
  ObservedImage,
  ObservedStorage,
  UnreadGuest
} from "../plan/ObservedHost.ts"

const storageOf = ({ active, avail, storage, total, type }: StorageRow): ObservedStorage => ({
  storage,
  type,
  active,
  total: active ? total : null,
  available: active ? avail : null,
  // Read only where a step needs it: `withThinPools`.
  metadata: null
})

/**
 * The host as the last observation saw it, which costs no request. What runs is some seconds old, and what waits for a guest's
 * next start is taken to be in force: each step looks again before it is begun.
 */
export const seenHost = (
  { configs, guests, node, storages }: SeenHost,
  made: ReadonlyArray<MadeGuest>,
  images: ReadonlyArray<ObservedImage>
): ObservedHost => {
  const records = new Map(made.map((one) => [formatGuestRef(one.ref), one]))
  const own = guests.filter((row) => row.node === node)
  const unread: Array<UnreadGuest> = []
  const read = own.flatMap((row): ReadonlyArray<ObservedGuest> => {
    const at = formatGuestRef(row)
    const ref = { type: row.type, vmid: row.vmid }
    const merged = configs.get(at)
    if (merged === undefined) {
      unread.push({ ref, name: row.name, why: "its configuration could not be read" })
      return []
    }
    return [{
      ref,
      name: row.name,
      status: row.status,
      template: row.template,
      lock: row.lock,
      ha: row.hastate,
      identity: keyedIdentity(ref, guestIdentity(row.type, merged), records.get(at)),
      merged,
      current: merged,
      memoryUsed: row.status === "running" ? row.mem : null
    }]
  })
  return {
    node,
    guests: read,
    unread,
    elsewhere: guests.flatMap(({ node: other, type, vmid }) =>
      other === node ? [] : [{ ref: { type, vmid }, node: other }]
    ),
    storages: storages.map(storageOf),
    images,
    made: made.map(({ key }) => key)
  }
}
