import { Effect } from "effect"
import { volumePath } from "./api/Content.ts"
import { type ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import { removeVolume } from "./GuestBackup.ts"
import type { Machine } from "./Machine.ts"
import { pathOf, type StorageState } from "./StorageState.ts"

type StorageChange = Extract<
  ConsoleChange,
  { readonly _tag: `storage.${string}` | "file.remove" | "archive.damage" }
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
  const root = Array.from(machine.storages.values())[0]
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

const damage = (machine: Machine, volid: string, how: "truncated" | "empty") =>
  Effect.suspend(() => {
    const storage = volid.slice(0, volid.indexOf(":"))
    const volumes = machine.content.get(storage) ?? []
    const found = volumes.find((one) => one.volid === volid)
    if (found?.archive === undefined) {
      return Effect.fail(new ConsoleRefused({ reason: "no-such-volume", what: volid }))
    }
    const archive = how === "empty"
      ? { ...found.archive, config: undefined }
      : { ...found.archive, truncated: true }
    machine.content.set(storage, volumes.map((one) => one === found ? { ...found, archive } : one))
    return Effect.void
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
        return yield* damage(machine, change.volid, change.damage)
    }
  })
