import { Effect } from "effect"
import { volumePath } from "./api/Content.ts"
import { type ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import { removeVolume } from "./GuestBackup.ts"
import type { Machine } from "./Machine.ts"
import { pathOf, type StorageState } from "./StorageState.ts"
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

const set = (machine: Machine, storage: string, config: { readonly [key: string]: string }): void => {
  const state = machine.storages.get(storage)
  if (state !== undefined) {
    state.config = { ...state.config, ...config }
    return
  }
  // A folder on another storage's file system has that one's room; all others lie on the root.
  const path = config["path"] ?? ""
  const root = Array.from(machine.storages.values())
    .filter((one) => pathOf(one) !== "" && path.startsWith(`${pathOf(one)}/`))
    .toSorted((a, b) => pathOf(b).length - pathOf(a).length)[0] ?? Array.from(machine.storages.values())[0]
  machine.storages.set(storage, {
    storage,
    config,
    total: root?.total ?? 0,
    used: root?.used ?? 0,
    avail: root?.avail ?? 0,
    active: ["0", "no", undefined].includes(config["is_mountpoint"]) ? 1 : 0,
    shared: 0
  })
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
        const state = yield* storageOf(machine, change.storage)
        state.total = change.total
        state.avail = Math.min(change.avail, change.total)
        state.used = state.total - state.avail
        return
      }
      case "storage.filled":
        for (const state of machine.storages.values()) {
          if (pathOf(state) !== "" && change.path.startsWith(`${pathOf(state)}/`)) {
            state.used = state.total
            state.avail = 0
          }
        }
        return
      case "storage.mounted":
        for (const state of machine.storages.values()) {
          const path = pathOf(state)
          if (path === change.path || path.startsWith(`${change.path}/`)) state.active = change.mounted ? 1 : 0
        }
        return
      case "file.remove":
        for (const volumes of Array.from(machine.content.values())) {
          for (const volume of volumes) {
            if (matches(change.path, volumePath(machine, volume.volid, volume.content))) removeVolume(machine, volume)
          }
        }
        return
      case "archive.damage":
        return yield* copy(machine, change.volid, change.volid, change.damage)
      case "archive.copy":
        return yield* copy(machine, change.from, change.to, change.damage)
    }
  })
