import { type StorageId } from "@felhom/domain/ProxmoxId"
import type { MountableDevice } from "@felhom/privileged/Mount"
import type { StorageConfig } from "@felhom/proxmox/StorageRows"

/** `/dev/sda` of `/dev/sda2`, `/dev/nvme0n1` of `/dev/nvme0n1p2`; a whole disk stays as it is. */
export const wholeDisk = (path: string): string =>
  /^(\/dev\/(?:sd|vd)[a-z]+)\d+$/.exec(path)?.[1] ?? /^(\/dev\/(?:nvme\d+n\d+|mmcblk\d+))p\d+$/.exec(path)?.[1] ?? path

const within = (path: string, mountpoint: string): boolean =>
  mountpoint === "/" ? path.startsWith("/") : path === mountpoint || path.startsWith(`${mountpoint}/`)

/**
 * Which storages stand on which disk, by the disk's path: those that are folders on a file system right on a disk or a partition. Of a
 * pool of several disks (ZFS, LVM, Ceph) no storage is one disk's.
 */
export const storagesOnDisks = (
  devices: ReadonlyArray<Pick<MountableDevice, "path" | "mountpoint">>,
  configs: ReadonlyArray<StorageConfig>
): ReadonlyMap<string, ReadonlyArray<StorageId>> => {
  const on = new Map<string, Array<StorageId>>()
  for (const { storage, ...config } of configs) {
    const path = config["path"]
    if (typeof path !== "string") continue
    const device = devices
      .filter(({ mountpoint }) => mountpoint !== null && within(path, mountpoint))
      .toSorted((a, b) => (b.mountpoint?.length ?? 0) - (a.mountpoint?.length ?? 0))[0]
    if (device === undefined) continue
    const disk = wholeDisk(device.path)
    on.set(disk, [...(on.get(disk) ?? []), storage])
  }
  return on
}
