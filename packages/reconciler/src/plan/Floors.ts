import type { DesiredPolicy } from "@felhom/domain/DesiredPolicy"
import type { ObservedStorage } from "./ObservedHost.ts"

const gib = 1024 ** 3

const inGib = (bytes: number): string => `${(bytes / gib).toFixed(1)} GiB`

/** Storages whose books can run full before they do. */
const keepsBooks = ({ type }: ObservedStorage): boolean => type === "lvmthin"

const floorFor = ({ floors }: DesiredPolicy, storage: string) =>
  (Object.hasOwn(floors.storages, storage) ? floors.storages[storage] : undefined) ?? floors.usual

/**
 * Why a storage has no room for so many bytes more above the policy's floor, beside what is promised already; undefined where it
 * has. What can't be seen counts as none.
 */
export const noRoom = (
  policy: DesiredPolicy,
  observed: ObservedStorage | undefined,
  want: { readonly storage: string; readonly bytes: number | null; readonly promised: number }
): string | undefined => {
  const { bytes, promised, storage } = want
  if (observed === undefined) return `this host has no storage ${storage}`
  const { active, available, metadata, total } = observed
  if (!active || available === null || total === null) return `it is not known how much room ${storage} has`
  if (bytes === null) return `it is not known how much of ${storage} it would take`
  const floor = floorFor(policy, storage)
  if (available - promised - bytes < (total * floor.free) / 100) {
    return `${storage} would have less than ${floor.free} % free: ${inGib(available - promised)} of ${
      inGib(total)
    } are, ` +
      `and it takes ${inGib(bytes)}; make room there`
  }
  if (!keepsBooks(observed)) return undefined
  if (metadata === null || metadata.total <= 0) {
    const why = observed.metadataUnread === undefined ? "" : `: ${observed.metadataUnread}`
    return `it is not known how full the metadata of the thin pool ${storage} is${why}`
  }
  return metadata.total - metadata.used < (metadata.total * floor.metadataFree) / 100
    ? `the metadata of the thin pool ${storage} is more than ${100 - floor.metadataFree} % full: ` +
      "root makes it larger (lvextend --poolmetadatasize), which nothing undoes"
    : undefined
}
