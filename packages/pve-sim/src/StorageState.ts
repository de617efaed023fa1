import { splitList } from "./ParameterSchema.ts"
import type { World } from "./World.ts"

/** One storage of the simulated host. Mutable: guests and people fill it, unplug it, and change its configuration. */
export interface StorageState {
  readonly storage: string
  /** The node that this is the state on. */
  readonly here: string
  /** As in /etc/pve/storage.cfg; `type` and `content` are among its keys. */
  config: { readonly [key: string]: string | number }
  /** Bytes; what the file system below shows. */
  total: number
  used: number
  avail: number
  /** 0: not mounted, or not to be reached. */
  active: 0 | 1
  shared: 0 | 1
  /** Files that root wrote and that are no volumes, with the bytes that they take, by path. */
  readonly files: Map<string, number>
}

type Storages = ReadonlyMap<string, StorageState>

export const loadStorages = (world: World): Map<string, StorageState> =>
  new Map(world.storages.map((config) => {
    const status = world.storage_status.find(({ storage }) => storage === config.storage)
    return [config.storage, {
      storage: config.storage,
      here: world.node,
      config,
      total: status?.total ?? 0,
      used: status?.used ?? 0,
      avail: status?.avail ?? 0,
      active: status?.active ?? 0,
      shared: status?.shared ?? 0,
      files: new Map()
    }]
  }))

export const typeOf = (storage: StorageState): string => String(storage.config["type"] ?? "")

export const pathOf = (storage: StorageState): string => String(storage.config["path"] ?? "")

export const isEnabled = (storage: StorageState): boolean => String(storage.config["disable"] ?? "0") !== "1"

export const holds = (storage: StorageState, content: string): boolean =>
  splitList(String(storage.config["content"] ?? "")).includes(content)

/** Why a storage is none that this node has, in Proxmox's words; whether it can be reached is another matter. */
export const notEnabled = (storages: Storages, id: string): string | undefined => {
  const storage = storages.get(id)
  if (storage === undefined) return `storage '${id}' does not exist`
  if (!isEnabled(storage)) return `storage '${id}' is disabled`
  return isOn(storage, storage.here) ? undefined : `storage '${id}' is not available on node '${storage.here}'`
}

/** Whether a storage is for a node: one that names none is for all. */
export const isOn = (storage: StorageState, node: string): boolean => {
  const nodes = splitList(String(storage.config["nodes"] ?? ""))
  return nodes.length === 0 || nodes.includes(node)
}

/** Why a storage cannot be used now, in Proxmox's words; undefined when it can (platform-facts 1.6, 8). */
export const unusable = (storages: Storages, id: string): string | undefined => {
  const storage = storages.get(id)
  const away = notEnabled(storages, id)
  if (storage === undefined || away !== undefined) return away
  if (storage.active === 1) return undefined
  const mountpoint = storage.config["is_mountpoint"]
  return mountpoint !== undefined && !["0", "no"].includes(String(mountpoint))
    ? `unable to activate storage '${id}' - directory is expected to be a mount point but is not mounted: '${
      pathOf(storage)
    }'`
    : pathOf(storage) === ""
    ? `storage '${id}' is not online`
    : `unable to activate storage '${id}' - directory '${pathOf(storage)}' does not exist or is unreachable`
}

/** The file system that a directory lies on: that of the storage whose path is nearest above it. */
export const fileSystemOf = (storages: Storages, path: string): string => {
  const above = Array.from(storages.values())
    .filter((storage) => pathOf(storage) !== "" && (path === pathOf(storage) || path.startsWith(`${pathOf(storage)}/`)))
    .toSorted((a, b) => pathOf(b).length - pathOf(a).length)
  return above.some((storage) => typeOf(storage) === "btrfs") ? "btrfs" : "ext4"
}

/** Takes or gives back room; never more than there is. */
export const occupy = (storage: StorageState, bytes: number): void => {
  const taken = Math.max(-storage.used, Math.min(bytes, storage.avail))
  storage.used += taken
  storage.avail -= taken
}
