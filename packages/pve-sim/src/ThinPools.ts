import type { Machine } from "./Machine.ts"
import { type StorageState, typeOf } from "./StorageState.ts"
import type { World } from "./World.ts"

/** What LVM keeps of a thin pool beside its data; bytes. Mutable: people fill it. */
export interface ThinPool {
  readonly vg: string
  readonly lv: string
  readonly lv_size: number
  readonly used: number
  readonly metadata_size: number
  metadata_used: number
  readonly ctime: number
}

const gibibyte = 1024 ** 3

// A hundredth of the data, at least 1 GiB and at most 16, as Proxmox makes a pool.
const usualMetadata = (size: number): number =>
  Math.min(16 * gibibyte, Math.max(gibibyte, Math.floor(size / 100 / 1024) * 1024))

const nameOf = (vg: string, lv: string): string => `${vg}/${lv}`

const poolNames = ({ config }: StorageState): readonly [vg: string, lv: string] => [
  String(config["vgname"] ?? ""),
  String(config["thinpool"] ?? "")
]

/** Gives a thin storage that can be reached a pool of its size, unless there is one of that name. */
export const withPool = (pools: Map<string, ThinPool>, storage: StorageState, ctime: number): void => {
  const [vg, lv] = poolNames(storage)
  if (typeOf(storage) !== "lvmthin" || storage.active !== 1 || pools.has(nameOf(vg, lv))) return
  const metadata = usualMetadata(storage.total)
  pools.set(nameOf(vg, lv), {
    vg,
    lv,
    lv_size: storage.total,
    used: storage.used,
    metadata_size: metadata,
    metadata_used: Math.floor(metadata / 50),
    ctime
  })
}

/** The pools of the world, and one for each thin storage whose pool is not among them. */
export const loadThinPools = (world: World, storages: Iterable<StorageState>): Map<string, ThinPool> => {
  const pools = new Map(world.thin_pools.map((pool): [string, ThinPool] => [nameOf(pool.vg, pool.lv), { ...pool }]))
  for (const storage of storages) withPool(pools, storage, world.taken_at_unix.time)
  return pools
}

/** The pool below a storage; undefined when it is no thin one. */
export const poolOf = (machine: Machine, storage: string): ThinPool | undefined => {
  const state = machine.storages.get(storage)
  return state === undefined || typeOf(state) !== "lvmthin"
    ? undefined
    : machine.thinPools.get(nameOf(...poolNames(state)))
}

/** The pool that a storage's options name; undefined when there is none of that name. */
export const poolNamed = (
  machine: Machine,
  options: { readonly [key: string]: string }
): ThinPool | undefined => machine.thinPools.get(nameOf(options["vgname"] ?? "", options["thinpool"] ?? ""))

/** Data in use, as a storage on the pool shows it, or else as LVM was told. */
const dataOf = (machine: Machine, pool: ThinPool): { readonly size: number; readonly used: number } => {
  const storage = [...machine.storages.values()].find((one) => poolOf(machine, one.storage) === pool)
  return storage === undefined
    ? { size: pool.lv_size, used: pool.used }
    : { size: storage.total, used: storage.used }
}

/** A row of `GET …/disks/lvmthin`: what `lvs` tells of a pool, which is more than Proxmox's schema names. */
export const poolRow = (machine: Machine, pool: ThinPool) => {
  const { size, used } = dataOf(machine, pool)
  return {
    vg: pool.vg,
    lv: pool.lv,
    lv_size: size,
    lv_state: "a",
    lv_type: "t",
    used,
    metadata_size: pool.metadata_size,
    metadata_used: pool.metadata_used,
    // As `lvs` prints it, where the sizes are made numbers.
    ctime: String(pool.ctime)
  }
}

// LVM makes no thin volume with less of the metadata free: a quarter, or so much in a large one.
const metadataNeeded = 4 * 1024 ** 2

/** Why no volume can be made in a storage's pool, in the words of LVM and Proxmox; undefined when one can. */
export const poolTrouble = (machine: Machine, storage: string, volume: string): string | undefined => {
  const pool = poolOf(machine, storage)
  if (pool === undefined) return undefined
  const { size, used } = dataOf(machine, pool)
  const needed = Math.min(metadataNeeded, pool.metadata_size / 4)
  return used < size && pool.metadata_size - pool.metadata_used >= needed
    ? undefined
    : `lvcreate '${pool.vg}/${volume}' error:   Cannot create new thin volume, ` +
      `free space in thin pool ${pool.vg}/${pool.lv} reached threshold.`
}
