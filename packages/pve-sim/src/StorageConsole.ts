import { Clock, Effect } from "effect"
import { volumePath } from "./api/Content.ts"
import { type ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import { removeVolume } from "./GuestBackup.ts"
import type { Machine } from "./Machine.ts"
import { occupy, pathOf, type StorageState } from "./StorageState.ts"
import { poolOf, withPool } from "./ThinPools.ts"
import type { Archive } from "./Volume.ts"

type StorageChange = Extract<
  ConsoleChange,
  { readonly _tag: `storage.${string}` | "file.remove" | `archive.${string}` }
>

const storageOf = (machine: Machine, storage: string): Effect.Effect<StorageState, ConsoleRefused> =>
  Effect.suspend(() => {
    const state = machine.storages.get(storage)
    return state === undefined
      ? Effect.fail(new ConsoleRefused({ reason: "no-such-storage", what: storage }))
      : Effect.succeed(state)
  })

/** The volid of what lies at a path in a storage's dump folder; a volid stays as it is. */
export const volidOf = (machine: Machine, archive: string): string => {
  const [, folder, file] = /^(\/.*)\/dump\/([^/]+)$/.exec(archive) ?? []
  const state = Array.from(machine.storages.values()).find((one) => folder !== undefined && pathOf(one) === folder)
  return state === undefined || file === undefined ? archive : `${state.storage}:backup/${file}`
}

/** The storages on the file system that a path lies on, the nearest mount point of them. */
const above = (machine: Machine, path: string): ReadonlyArray<StorageState> => {
  const holding = Array.from(machine.storages.values()).filter((one) =>
    pathOf(one) !== "" && (path === pathOf(one) || path.startsWith(`${pathOf(one)}/`))
  )
  const nearest = Math.max(0, ...holding.map((one) => pathOf(one).length))
  return holding.filter((one) => pathOf(one).length === nearest)
}

/** Whether what is to be mounted for a new storage is. */
export const isMounted = (machine: Machine, config: { readonly [key: string]: string | number }): boolean => {
  const mountpoint = String(config["is_mountpoint"] ?? "no")
  return ["0", "no"].includes(mountpoint) ||
    machine.mounts.has(mountpoint.startsWith("/") ? mountpoint : String(config["path"] ?? ""))
}

const set = (machine: Machine, storage: string, config: { readonly [key: string]: string }): void => {
  const state = machine.storages.get(storage)
  if (state !== undefined) {
    // What has no value any more was deleted.
    state.config = Object.fromEntries(
      Object.entries({ ...state.config, ...config }).filter(([, value]) => value !== "")
    )
    return
  }
  // A folder on another storage's file system has that one's room; all others lie on the root.
  const path = config["path"] ?? ""
  const root = Array.from(machine.storages.values())
    .filter((one) => pathOf(one) !== "" && path.startsWith(`${pathOf(one)}/`))
    .toSorted((a, b) => pathOf(b).length - pathOf(a).length)[0] ?? Array.from(machine.storages.values())[0]
  const added: StorageState = {
    storage,
    here: machine.node,
    config,
    total: root?.total ?? 0,
    used: root?.used ?? 0,
    avail: root?.avail ?? 0,
    active: isMounted(machine, config) ? 1 : 0,
    shared: 0,
    files: new Map()
  }
  machine.storages.set(storage, added)
  withPool(machine.thinPools, added, machine.world.taken_at_unix.time)
  machine.content.set(storage, machine.content.get(storage) ?? [])
}

const matches = (pattern: string, path: string): boolean =>
  new RegExp(`^${pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^/]*")}$`)
    .test(path)

const ownerOfArchive = (volid: string): number | undefined => {
  const vmid = /vzdump-(?:lxc|qemu)-(\d+)-/.exec(volid)?.[1]
  return vmid === undefined ? undefined : Number(vmid)
}

const damaged = (archive: Archive, how: "truncated" | "empty" | undefined): Archive =>
  how === undefined
    ? archive
    : how === "empty"
    ? { ...archive, config: undefined, bytes: 0 }
    : { ...archive, truncated: true }

/** Puts an archive, whole or damaged, in the place of `to`, which may be its own. */
const copy = (machine: Machine, from: string, to: string, how: "truncated" | "empty" | undefined) =>
  Effect.gen(function*() {
    const volumesOn = (volid: string) => machine.content.get(volid.slice(0, volid.indexOf(":")))
    const found = volumesOn(from)?.find((one) => one.volid === from)
    const target = volumesOn(to)
    if (found === undefined && target !== undefined && how === "empty") {
      const [, format = "tar.zst"] = /\.((?:tar|vma|tgz)[\w.]*)$/.exec(to) ?? []
      target.push({
        volid: to,
        content: "backup",
        format,
        size: 0,
        ctime: Math.floor((yield* Clock.currentTimeMillis) / 1000),
        vmid: ownerOfArchive(to),
        subtype: /vzdump-qemu-/.test(to) ? "qemu" : "lxc",
        notes: undefined,
        protected: false,
        archive: { config: undefined, bytes: 0, truncated: false }
      })
      return
    }
    if (found?.archive === undefined || target === undefined) {
      return yield* new ConsoleRefused({ reason: "no-such-volume", what: found?.archive === undefined ? from : to })
    }
    const copied = {
      ...found,
      volid: to,
      // Whose backup a file is, only its name tells (platform-facts 1.5.1).
      vmid: ownerOfArchive(to),
      size: how === undefined ? found.size : how === "empty" ? 0 : Math.floor(found.size * 0.6),
      archive: damaged(found.archive, how)
    }
    const at = target.findIndex((one) => one.volid === to)
    if (at < 0) target.push(copied)
    else target[at] = copied
  })

/** What root did to storages and the files on them. */
export const apply = (machine: Machine, change: StorageChange): Effect.Effect<void, ConsoleRefused> =>
  Effect.gen(function*() {
    switch (change._tag) {
      case "storage.set":
        return set(machine, change.storage, change.config)
      case "storage.remove":
        machine.storages.delete((yield* storageOf(machine, change.storage)).storage)
        return
      case "storage.avail": {
        const state = yield* storageOf(machine, change.storage)
        state.avail = change.bytes
        state.used = Math.max(0, state.total - change.bytes)
        return
      }
      case "storage.size": {
        const mounted = Array.from(machine.storages.values()).filter((one) => pathOf(one) === change.storage)
        for (const state of mounted.length > 0 ? mounted : [yield* storageOf(machine, change.storage)]) {
          state.total = change.total
          state.avail = Math.min(change.avail, change.total)
          state.used = state.total - state.avail
        }
        return
      }
      case "storage.metadata": {
        const pool = poolOf(machine, change.storage)
        if (pool === undefined) return yield* new ConsoleRefused({ reason: "no-such-storage", what: change.storage })
        pool.metadata_used = Math.min(change.used, pool.metadata_size)
        return
      }
      case "storage.written":
        for (const state of above(machine, change.path)) {
          const bytes = Math.min(change.bytes, state.avail)
          occupy(state, bytes)
          state.files.set(change.path, bytes)
        }
        return
      case "storage.filled":
        for (const state of above(machine, change.path)) {
          state.files.set(change.path, state.avail)
          state.used = state.total
          state.avail = 0
        }
        return
      case "storage.mounted":
        if (change.mounted) machine.mounts.add(change.path)
        else machine.mounts.delete(change.path)
        for (const state of machine.storages.values()) {
          const path = pathOf(state)
          if (path === change.path || path.startsWith(`${change.path}/`)) state.active = change.mounted ? 1 : 0
        }
        return
      case "file.remove":
        for (const state of above(machine, change.path)) {
          occupy(state, -(state.files.get(change.path) ?? 0))
          state.files.delete(change.path)
        }
        for (const volumes of Array.from(machine.content.values())) {
          for (const volume of volumes) {
            const goes = change.path === volume.volid ||
              matches(change.path, volumePath(machine, volume.volid, volume.content))
            if (goes) removeVolume(machine, volume)
          }
        }
        return
      case "archive.damage":
        return yield* copy(machine, volidOf(machine, change.volid), volidOf(machine, change.volid), change.damage)
      case "archive.copy":
        return yield* copy(machine, volidOf(machine, change.from), volidOf(machine, change.to), change.damage)
    }
  })
