import type { Guest, GuestSample } from "@felhom/domain/Guest"
import type { NodeSample } from "@felhom/domain/HostReport"
import type { BackupArchive, Disk, Storage, StorageUsage } from "@felhom/domain/Storage"
import type { GuestResource } from "@felhom/proxmox/GuestRows"
import type { DiskRow, NodeStatus } from "@felhom/proxmox/NodeRows"
import type { ContentRow, StorageRow } from "@felhom/proxmox/StorageRows"

/** What was read of one guest beyond its row in the list. */
export type GuestReading = Pick<Guest, "config" | "snapshots">

export const guestOf = (row: GuestResource, reading: GuestReading): Guest => ({
  type: row.type,
  vmid: row.vmid,
  name: row.name,
  status: row.status,
  template: row.template,
  lock: row.lock,
  tags: row.tags,
  cpus: row.maxcpu,
  memory: row.maxmem,
  disk: row.maxdisk,
  ...reading
})

/** What a stopped guest uses is nothing, and Proxmox's zeros for it say just that. */
export const guestSampleOf = (row: GuestResource): GuestSample => ({
  type: row.type,
  vmid: row.vmid,
  uptimeSeconds: row.uptime,
  cpu: row.cpu,
  memoryUsed: row.mem,
  diskUsed: row.disk,
  netIn: row.netin,
  netOut: row.netout
})

export const storageOf = (row: StorageRow): Storage => ({
  storage: row.storage,
  type: row.type,
  content: row.content,
  shared: row.shared,
  enabled: row.enabled,
  active: row.active
})

/** The numbers of a storage that is not active mean nothing (platform-facts 7.2). */
export const storageUsageOf = (row: StorageRow): StorageUsage => ({
  storage: row.storage,
  total: row.active ? row.total : null,
  used: row.active ? row.used : null,
  available: row.active ? row.avail : null
})

export const diskOf = (row: DiskRow): Disk => ({
  devicePath: row.devpath,
  type: row.type,
  size: row.size,
  model: row.model,
  serial: row.serial,
  health: row.health,
  wearout: row.wearout,
  usedFor: row.used
})

export const backupOf = (row: ContentRow): BackupArchive => ({
  volid: row.volid,
  guest: row.vmid,
  guestType: row.subtype,
  createdAt: row.ctime,
  size: row.size,
  protected: row.protected
})

export const nodeSampleOf = (status: NodeStatus): NodeSample => ({
  uptimeSeconds: status.uptime,
  cpu: status.cpu,
  load: status.loadavg,
  memoryTotal: status.memory.total,
  memoryUsed: status.memory.used,
  rootTotal: status.rootfs.total,
  rootUsed: status.rootfs.used
})
