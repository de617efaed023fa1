import { Effect } from "effect"
import { badParameters, died } from "../ApiFailure.ts"
import { required, textOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { splitList } from "../ParameterSchema.ts"
import { sha1Hex } from "../Sha1.ts"
import { type StorageState, typeOf, unusable } from "../StorageState.ts"
import { mayListStorage } from "./Storage.ts"

const asRow = ({ config, storage }: StorageState): { readonly [key: string]: Json } => ({
  ...config,
  storage,
  // The recorded digest is of the whole file; a world without one gets its own.
  digest: config["digest"] ?? sha1Hex(JSON.stringify(config))
})

const list: Endpoint = {
  method: "GET",
  path: "/storage",
  permission: anyone,
  protected: false,
  parameters: { type: Formats.text() },
  handle: (call) =>
    Effect.sync(() => ({
      data: Array.from(call.machine.storages.values())
        .filter((state) =>
          mayListStorage(call, state.storage) && typeOf(state) === (textOf(call, "type") ?? typeOf(state))
        )
        .map(asRow)
    }))
}

const stateOf = (call: Call) => {
  const storage = required(call, "storage")
  const found = call.machine.storages.get(storage)
  return found === undefined ? Effect.fail(died(`storage '${storage}' does not exist`)) : Effect.succeed(found)
}

const read: Endpoint = {
  method: "GET",
  path: "/storage/{storage}",
  permission: all("/storage/{storage}", "Datastore.Allocate"),
  protected: false,
  parameters: { storage: Formats.storage },
  handle: (call) => Effect.map(stateOf(call), (state) => ({ data: asRow(state) }))
}

const mayChange = all("/storage", "Datastore.Allocate")

// Of the directory plugin (platform-facts 1.6); other types share most of them.
const options = {
  content: Formats.text(),
  nodes: Formats.text(),
  shared: Formats.flag,
  disable: Formats.flag,
  "prune-backups": Formats.text(),
  "max-protected-backups": Formats.integer(-1),
  format: Formats.text(),
  is_mountpoint: Formats.text(),
  "create-base-path": Formats.flag,
  "create-subdirs": Formats.flag,
  mkdir: Formats.flag,
  bwlimit: Formats.text(),
  preallocation: Formats.text(),
  "content-dirs": Formats.text()
}

const given = (call: Call): { [key: string]: string } =>
  Object.fromEntries(
    Array.from(call.parameters).flatMap(([key, value]) =>
      value === undefined || ["storage", "delete", "digest"].includes(key) ? [] : [[key, value] as const]
    )
  )

const create: Endpoint = {
  method: "POST",
  path: "/storage",
  permission: mayChange,
  protected: true,
  parameters: {
    storage: Formats.storage,
    type: { type: "string", enum: ["dir", "btrfs", "lvm", "lvmthin", "nfs", "cifs", "zfspool", "pbs"] },
    path: { type: "string", optional: true, pattern: /^\/[-/a-zA-Z0-9_.@]+$/ },
    ...options
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { content, storages } = call.machine
      const storage = required(call, "storage")
      const type = required(call, "type")
      if (storages.has(storage)) return yield* died(`storage ID '${storage}' already defined`)
      if (!["dir", "btrfs"].includes(type)) {
        return yield* died(`create storage failed: a storage of type '${type}' cannot be reached from this host`)
      }
      if (textOf(call, "path") === undefined) {
        return yield* badParameters({ path: "property is missing and it is not optional" })
      }
      // A fresh directory lies on the root file system, whose figures are those of the storage that is there already.
      const root = storages.get("local") ?? Array.from(storages.values())[0]
      const mountpoint = !["0", "no", ""].includes(textOf(call, "is_mountpoint") ?? "")
      storages.set(storage, {
        storage,
        config: { content: type === "dir" ? "vztmpl,iso,backup" : "images,rootdir", ...given(call) },
        total: root?.total ?? 0,
        used: root?.used ?? 0,
        avail: root?.avail ?? 0,
        active: mountpoint ? 0 : 1,
        shared: 0
      })
      const trouble = unusable(storages, storage)
      if (trouble !== undefined) {
        storages.delete(storage)
        return yield* died(`create storage failed: ${trouble}`)
      }
      content.set(storage, content.get(storage) ?? [])
      return { data: { storage, type } }
    })
}

const update: Endpoint = {
  method: "PUT",
  path: "/storage/{storage}",
  permission: mayChange,
  protected: true,
  parameters: {
    storage: Formats.storage,
    delete: { type: "string", optional: true, format: Formats.configIdList },
    digest: Formats.text(64),
    ...options
  },
  handle: (call) =>
    Effect.gen(function*() {
      const state = yield* stateOf(call)
      const digest = textOf(call, "digest")
      if (digest !== undefined && digest !== asRow(state)["digest"]) {
        return yield* died("detected modified configuration - file changed by other user? Try again.")
      }
      const removed = splitList(textOf(call, "delete"))
      const kept = Object.entries(state.config).filter(([key]) => key !== "digest" && !removed.includes(key))
      state.config = { ...Object.fromEntries(kept), ...given(call) }
      return { data: { storage: state.storage, type: typeOf(state) } }
    })
}

const remove: Endpoint = {
  method: "DELETE",
  path: "/storage/{storage}",
  permission: mayChange,
  protected: true,
  parameters: { storage: Formats.storage },
  handle: (call) =>
    Effect.map(stateOf(call), ({ storage }) => {
      call.machine.storages.delete(storage)
      // Its ACL entries go with it (platform-facts 2.3); its files stay where they are.
      call.machine.access.removePath(`/storage/${storage}`)
      return { data: null }
    })
}

/** The configuration of storages (platform-facts 1.6). */
export const endpoints: ReadonlyArray<Endpoint> = [list, read, create, update, remove]
