import type { StorageId } from "@felhom/domain/ProxmoxId"
import type { Parameters } from "./FormEncoding.ts"

/** Network cards as property strings, by `net0`, `net1` and so on: `name=eth0,bridge=vmbr0,ip=dhcp`. */
export interface NetworkCards {
  readonly [card: `net${number}`]: string
}

/**
 * What a container is given when it is made, beyond its volumes. What is left out is Proxmox's default, or the archive's.
 * Memory and swap in MiB. Neither `features` but nesting nor `unprivileged` can be said (platform-facts 5.2, 5.3).
 *
 * @see platform-facts 5.1
 */
export interface ContainerShape {
  readonly hostname?: string
  readonly cores?: number
  readonly cpulimit?: number
  readonly cpuunits?: number
  readonly memory?: number
  readonly swap?: number
  readonly nameserver?: string
  readonly searchdomain?: string
  readonly onboot?: boolean
  readonly startup?: string
  /** False takes an archive's away: what is made by half must not be kept from being removed. */
  readonly protection?: boolean
  readonly description?: string
  readonly tags?: ReadonlyArray<string>
}

/**
 * What a virtual machine is given when it is made from an archive, beyond its disks. What is left out is the archive's. Memory in
 * MiB. Neither `startup`, which takes Sys.Modify, nor what only root may say (platform-facts 1.3, 2.2).
 *
 * @see platform-facts 1.3
 */
export interface MachineShape {
  readonly name?: string
  readonly cores?: number
  readonly cpulimit?: number
  readonly cpuunits?: number
  readonly memory?: number
  readonly onboot?: boolean
  /** False takes an archive's away: what is made by half must not be kept from being removed. */
  readonly protection?: boolean
  readonly description?: string
  readonly tags?: ReadonlyArray<string>
}

/** A root volume to be allocated; GiB may be a fraction (platform-facts 5.15). */
export interface NewRootVolume {
  readonly storage: StorageId
  readonly gib: number
}

// Each key by its name: whatever else an object may hold at run time is not sent.
export const shapeParameters = (shape: ContainerShape): Parameters => ({
  hostname: shape.hostname,
  cores: shape.cores,
  cpulimit: shape.cpulimit,
  cpuunits: shape.cpuunits,
  memory: shape.memory,
  swap: shape.swap,
  nameserver: shape.nameserver,
  searchdomain: shape.searchdomain,
  onboot: shape.onboot,
  startup: shape.startup,
  protection: shape.protection,
  description: shape.description,
  tags: tagsText(shape.tags)
})

const tagsText = (tags: ReadonlyArray<string> = []): string | undefined =>
  tags.length === 0 ? undefined : tags.join(";")

export const machineParameters = (shape: MachineShape): Parameters => ({
  name: shape.name,
  cores: shape.cores,
  cpulimit: shape.cpulimit,
  cpuunits: shape.cpuunits,
  memory: shape.memory,
  onboot: shape.onboot,
  protection: shape.protection,
  description: shape.description,
  tags: tagsText(shape.tags)
})

export const networkParameters = (cards: NetworkCards): Parameters =>
  Object.fromEntries(Object.entries(cards).filter(([card]) => /^net\d+$/.test(card)))

export const rootVolumeText = (volume: NewRootVolume): string => `${volume.storage}:${volume.gib}`
