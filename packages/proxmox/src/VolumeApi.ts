import type { GuestRef, StorageId, Volid } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import type { Mandate, MandateRefused } from "@felhom/mandate/Mandate"
import type { Effect } from "effect"
import { type Caller, upid, upidOrDone } from "./Caller.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import { isBackup, volumePath } from "./VolumePath.ts"

/** How large a volume gets, in bytes: by how much it grows, or up to what. Proxmox never makes one smaller. */
export type NewSize = { readonly growBy: number } | { readonly growTo: number }

/** A guest's volumes. @see platform-facts 5.15 */
export interface VolumeApi {
  /**
   * Grows a volume (`rootfs`, `mp0`, `scsi0`). A size below the present one is `invalid`, the present one is `wrong-state` for
   * a container. Null: nothing had to be done. Takes VM.Config.Options besides VM.Config.Disk. @see platform-facts 7.1
   */
  readonly growVolume: (
    ref: GuestRef,
    volume: string,
    size: NewSize,
    options?: { readonly digest?: string }
  ) => Effect.Effect<Upid | null, ProxmoxError>
  /**
   * Copies a volume to another storage and uses it from there; a container has to be stopped. The old one stays with the guest
   * as `unusedN`: deleting it is a call of its own. @see platform-facts 1.2
   */
  readonly moveVolume: (
    ref: GuestRef,
    volume: string,
    storage: StorageId,
    options?: { readonly digest?: string }
  ) => Effect.Effect<Upid, ProxmoxError>
  /** Deletes a volume that is no archive, for good. Null: it is done. Takes Datastore.Allocate. @see platform-facts 1.5 */
  readonly deleteVolume: (volid: Volid, mandate: Mandate) => Effect.Effect<Upid | null, ProxmoxError | MandateRefused>
}

const units: ReadonlyArray<readonly [suffix: string, bytes: number]> = [
  ["G", 1024 ** 3],
  ["M", 1024 ** 2],
  ["K", 1024]
]

const sizeText = (bytes: number): string => {
  const [suffix, unit] = units.find(([, each]) => bytes % each === 0) ?? ["", 1]
  return `${bytes / unit}${suffix}`
}

export const makeVolumeApi = ({ destroy, node, refuse, write }: Caller): VolumeApi => {
  const at = (ref: GuestRef) => [...node, ref.type, ref.vmid]
  return {
    growVolume: (ref, volume, size, options) =>
      write({
        method: "PUT",
        path: [...at(ref), "resize"],
        parameters: {
          disk: volume,
          size: "growBy" in size ? `+${sizeText(size.growBy)}` : sizeText(size.growTo),
          digest: options?.digest
        }
      }, upidOrDone),
    moveVolume: (ref, volume, storage, options) =>
      write(
        ref.type === "lxc"
          ? {
            method: "POST",
            path: [...at(ref), "move_volume"],
            parameters: { volume, storage, delete: false, digest: options?.digest }
          }
          : {
            method: "POST",
            path: [...at(ref), "move_disk"],
            parameters: { disk: volume, storage, delete: false, digest: options?.digest }
          },
        upid
      ),
    deleteVolume: (volid, mandate) => {
      const call = { method: "DELETE", path: volumePath(node, volid) } as const
      return isBackup(volid)
        ? refuse(call, "invalid", `${volid} is a backup, which takes a mandate of its own; nothing was sent`)
        : destroy(call, mandate, { op: "volume.delete", volid }, upidOrDone)
    }
  }
}
