import { Effect } from "effect"
import { ApiFailure, died } from "../ApiFailure.ts"
import { required, textOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Schema, splitList } from "../ParameterSchema.ts"
import { propertyString } from "../PropertyFormat.ts"
import { sha1Hex } from "../Sha1.ts"
import { isMounted } from "../StorageConsole.ts"
import { type StorageState, typeOf, unusable } from "../StorageState.ts"
import {
  activationTrouble,
  defaultContent,
  isPlayed,
  optionTrouble,
  storageOptions,
  storageTypes
} from "../StorageTypes.ts"
import { poolNamed } from "../ThinPools.ts"
import * as Values from "../ValueFormats.ts"
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
  parameters: { type: Formats.choice(...storageTypes) },
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

/** What goes wrong under the lock of storage.cfg is told with the work that it was. */
const during = <A>(verb: string, work: Effect.Effect<A, ApiFailure>): Effect.Effect<A, ApiFailure> =>
  Effect.mapError(work, ({ message }) => died(`${verb} storage failed: ${message}`))

const read: Endpoint = {
  method: "GET",
  path: "/storage/{storage}",
  permission: all("/storage/{storage}", "Datastore.Allocate"),
  protected: false,
  parameters: { storage: Formats.storage },
  handle: (call) => Effect.map(stateOf(call), (state) => ({ data: asRow(state) }))
}

const mayChange = all("/storage", "Datastore.Allocate")

const absolutePath = Values.matching(/^\/[^;()]+/, () => "value does not look like a valid absolute path")

const volumeGroup = Values.matching(
  /^[a-z0-9][a-z0-9\-_.]*[a-z0-9]$/i,
  (value) => `lvm name '${value}' contains illegal characters`
)

// Whose values are checked before any plugin looks at them.
const options: Schema = {
  ...Object.fromEntries(storageOptions.map((name) => [name, Formats.text()])),
  ...Object.fromEntries(["path", "export", "mountpoint", "subdir"].map((name) => [name, Values.of(absolutePath)])),
  server: Values.of(Values.server),
  ...Object.fromEntries(["vgname", "thinpool"].map((name) => [name, Values.of(volumeGroup)])),
  base: Values.of(Values.volumeId),
  bwlimit: Values.of(propertyString(
    Object.fromEntries(
      ["default", "restore", "migration", "clone", "move"].map((name) => [
        name,
        { type: "number", optional: true, minimum: 0 } as const
      ])
    )
  )),
  options: Values.of(Values.matching(/^\S+$/, (value) => `invalid options '${value}'`)),
  domain: Formats.text(256),
  password: Formats.text(256),
  smbversion: Formats.choice("default", "2.0", "2.1", "3", "3.0", "3.11"),
  nocow: Formats.flag,
  tagged_only: Formats.flag,
  "snapshot-as-volume-chain": Formats.flag,
  nodes: { type: "string", optional: true, format: Formats.nodeList },
  content: { type: "string", optional: true, format: Formats.contentList },
  shared: Formats.flag,
  disable: Formats.flag,
  "create-base-path": Formats.flag,
  "create-subdirs": Formats.flag,
  mkdir: Formats.flag,
  sparse: Formats.flag,
  saferemove: Formats.flag,
  port: Formats.integer(1, 65_535),
  "prune-backups": { type: "string", optional: true, format: Formats.retention },
  "max-protected-backups": Formats.integer(-1),
  format: Formats.choice("raw", "qcow2", "subvol", "vmdk"),
  preallocation: Formats.choice("off", "metadata", "falloc", "full"),
  fingerprint: { type: "string", optional: true, pattern: /^(?:[A-Fa-f0-9]{2}:){31}[A-Fa-f0-9]{2}$/ }
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
    type: { type: "string", enum: storageTypes },
    ...options
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { content, storages } = call.machine
      const storage = required(call, "storage")
      const type = required(call, "type")
      if (!isPlayed(type)) {
        return yield* new ApiFailure({ status: 501, message: `pve-sim does not simulate storages of type '${type}'` })
      }
      const wrong = optionTrouble(type, given(call), true)
      if (wrong !== undefined) return yield* died(wrong)
      if (storages.has(storage)) {
        return yield* died(`create storage failed: storage ID '${storage}' already defined`)
      }
      const pool = type === "lvmthin" ? poolNamed(call.machine, given(call)) : undefined
      const away = pool === undefined ? activationTrouble(storage, type, given(call), call.machine.servers) : undefined
      if (away !== undefined) return yield* died(`create storage failed: ${away}`)
      // A fresh directory lies on the root file system, whose figures are those of the storage that is there already.
      const root = storages.get("local") ?? Array.from(storages.values())[0]
      const room = pool === undefined
        ? { total: root?.total ?? 0, used: root?.used ?? 0, avail: root?.avail ?? 0 }
        : { total: pool.lv_size, used: pool.used, avail: pool.lv_size - pool.used }
      storages.set(storage, {
        storage,
        here: call.machine.node,
        config: { content: defaultContent(type), ...given(call) },
        ...room,
        active: isMounted(call.machine, given(call)) ? 1 : 0,
        shared: 0,
        files: new Map()
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

// What may never be changed is no parameter of a change.
const fixed = new Set(["path", "export", "share", "vgname", "base", "thinpool", "datastore"])
const changeable = Object.fromEntries(Object.entries(options).filter(([name]) => !fixed.has(name)))

const update: Endpoint = {
  method: "PUT",
  path: "/storage/{storage}",
  permission: mayChange,
  protected: true,
  parameters: {
    storage: Formats.storage,
    delete: { type: "string", optional: true, format: Formats.configIdList },
    digest: Formats.text(64),
    ...changeable
  },
  handle: (call) =>
    Effect.gen(function*() {
      const state = yield* during("update", stateOf(call))
      const digest = textOf(call, "digest")
      if (digest !== undefined && digest !== asRow(state)["digest"]) {
        return yield* died(
          "update storage failed: detected modified configuration - file changed by other user? Try again."
        )
      }
      const wrong = optionTrouble(typeOf(state), given(call), false)
      if (wrong !== undefined) return yield* died(`update storage failed: ${wrong}`)
      const removed = splitList(textOf(call, "delete"))
      const kept = Object.entries(state.config).filter(([key]) => key !== "digest" && !removed.includes(key))
      state.config = { ...Object.fromEntries(kept), ...given(call) }
      // One that is a mount point from now on is looked at as one.
      if (textOf(call, "is_mountpoint") !== undefined) state.active = isMounted(call.machine, state.config) ? 1 : 0
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
    Effect.map(during("delete", stateOf(call)), ({ storage }) => {
      call.machine.storages.delete(storage)
      // Its ACL entries go with it (platform-facts 2.3); its files stay where they are.
      call.machine.access.removePath(`/storage/${storage}`)
      return { data: null }
    })
}

/** The configuration of storages (platform-facts 1.6). */
export const endpoints: ReadonlyArray<Endpoint> = [list, read, create, update, remove]
