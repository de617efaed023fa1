import { type Guest, volumesOf } from "./Guest.ts"
import type { Machine } from "./Machine.ts"
import { typeOf } from "./StorageState.ts"
import { hasFeature } from "./VolumeFeature.ts"

/** Whether every volume can be snapshotted where it lies (platform-facts 5.11). */
export const canSnapshot = (machine: Machine, guest: Guest): boolean =>
  volumesOf(guest, guest.file.current).every(({ source }) => hasFeature(machine, guest.type, "snapshot", source))

/**
 * Why a guest can't go back to a snapshot; undefined when it can. ZFS knows only the way to the latest snapshot of each volume
 * (platform-facts 5.11).
 */
export const rollbackBlocked = (machine: Machine, guest: Guest, name: string): string | undefined => {
  const wanted = guest.file.snapshots.get(name)
  if (wanted === undefined) return undefined
  const names = Array.from(guest.file.snapshots.keys())
  const later = names.slice(names.indexOf(name) + 1).flatMap((one) => guest.file.snapshots.get(one) ?? [])
  const blocked = volumesOf(guest, wanted).find(({ source }) => {
    const storage = machine.storages.get(source.slice(0, source.indexOf(":")))
    return storage !== undefined && typeOf(storage) === "zfspool" &&
      later.some((section) => volumesOf(guest, section).some((volume) => volume.source === source))
  })
  return blocked === undefined
    ? undefined
    : `can't rollback, '${name}' is not most recent snapshot on '${blocked.source}'`
}
