import { Effect } from "effect"
import { badParameters, died } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { all, anyOf, anyone, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import type { Machine } from "../Machine.ts"
import { splitList } from "../ParameterSchema.ts"
import { sha1Hex } from "../Sha1.ts"
import type { Volume } from "../Volume.ts"
import { volumeRefusal } from "../VolumeAccess.ts"

const inNode = { node: Formats.node }
const inPath = { ...inNode, storage: Formats.storage }
const mayUse = anyOf("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")

type Config = Machine["world"]["storages"][number]

const configOf = (machine: Machine, storage: string): Config | undefined =>
  machine.world.storages.find((one) => one.storage === storage)

/** Figures of a storage, in bytes; undefined for one that the world knows no figures of. */
export const statusOf = (machine: Machine, storage: string) =>
  machine.world.storage_status.find((one) => one.storage === storage)

const mayList = (call: Call, storage: string): boolean =>
  may(call, `/storage/${storage}`, "Datastore.Audit") || may(call, `/storage/${storage}`, "Datastore.AllocateSpace")

const asRow = (config: Config): Json => ({
  ...config,
  // The recorded digest is of the whole file; a world without one gets its own.
  digest: config["digest"] ?? sha1Hex(JSON.stringify(config))
})

const configs: Endpoint = {
  method: "GET",
  path: "/storage",
  permission: anyone,
  protected: false,
  parameters: { type: Formats.text() },
  handle: (call) =>
    Effect.sync(() => ({
      data: call.machine.world.storages
        .filter(({ storage, type }) => mayList(call, storage) && type === (textOf(call, "type") ?? type))
        .map(asRow)
    }))
}

const config: Endpoint = {
  method: "GET",
  path: "/storage/{storage}",
  permission: all("/storage/{storage}", "Datastore.Allocate"),
  protected: false,
  parameters: { storage: Formats.storage },
  handle: (call) => {
    const found = configOf(call.machine, required(call, "storage"))
    return found === undefined
      ? Effect.fail(died(`storage '${required(call, "storage")}' does not exist`))
      : Effect.succeed({ data: asRow(found) })
  }
}

const statusRow = (machine: Machine, config: Config): { readonly [key: string]: Json } => {
  const status = statusOf(machine, config.storage)
  return {
    type: config.type,
    content: config["content"],
    enabled: status?.enabled ?? 1,
    active: status?.active ?? 0,
    shared: status?.shared ?? 0,
    total: status?.total ?? 0,
    used: status?.used ?? 0,
    avail: status?.avail ?? 0
  }
}

const list: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage",
  permission: anyone,
  protected: true,
  parameters: {
    ...inNode,
    storage: Formats.optional(Formats.storage),
    content: Formats.text(),
    enabled: Formats.flag,
    target: Formats.optional(Formats.node),
    format: Formats.flag
  },
  handle: (call) =>
    Effect.sync(() => {
      const wanted = splitList(textOf(call, "content"))
      return {
        data: call.machine.world.storages.flatMap((one): ReadonlyArray<Json> => {
          const row = statusRow(call.machine, one)
          const holds = splitList(String(one["content"] ?? ""))
          const asked = one.storage === (textOf(call, "storage") ?? one.storage) &&
            (wanted.length === 0 || wanted.some((content) => holds.includes(content))) &&
            (!isSet(call, "enabled") || row["enabled"] === 1)
          if (!asked || !mayList(call, one.storage)) return []
          const status = statusOf(call.machine, one.storage)
          return [{
            storage: one.storage,
            ...row,
            used_fraction: status !== undefined && status.total > 0 ? status.used / status.total : undefined
          }]
        })
      }
    })
}

const status: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/status",
  permission: mayUse,
  protected: true,
  parameters: inPath,
  handle: (call) => {
    const found = configOf(call.machine, required(call, "storage"))
    return found === undefined
      ? Effect.fail(badParameters({ storage: "No such storage." }))
      : Effect.succeed({ data: statusRow(call.machine, found) })
  }
}

const firstLine = (text: string | undefined): string | undefined => text?.split("\n")[0]

const volumeRow = (volume: Volume): Json => ({
  volid: volume.volid,
  content: volume.content,
  format: volume.format,
  size: volume.size,
  ctime: volume.ctime,
  vmid: volume.vmid,
  subtype: volume.subtype,
  notes: firstLine(volume.notes),
  protected: volume.protected ? 1 : undefined,
  // A guest's own volume also says what it really takes, and what it was cloned from.
  ...(volume.content === "rootdir" || volume.content === "images" ? { used: volume.size, parent: null } : {})
})

const contentOf = (call: Call) => {
  const storage = required(call, "storage")
  return configOf(call.machine, storage) === undefined
    ? Effect.fail(died(`storage '${storage}' does not exist`))
    : Effect.succeed(call.machine.content.get(storage) ?? [])
}

const content: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/content",
  permission: mayUse,
  protected: true,
  parameters: { ...inPath, content: Formats.text(), vmid: Formats.optional(Formats.vmid) },
  handle: (call) =>
    Effect.gen(function*() {
      const volumes = yield* contentOf(call)
      const storage = required(call, "storage")
      if (statusOf(call.machine, storage)?.active === 0) {
        return yield* died(`storage '${storage}' is not online`)
      }
      return {
        data: volumes
          .filter((volume) =>
            volume.content === (textOf(call, "content") ?? volume.content) &&
            String(volume.vmid) === (textOf(call, "vmid") ?? String(volume.vmid)) &&
            volumeRefusal(call, storage, volume) === undefined
          )
          .map(volumeRow)
      }
    })
}

const volumeOf = (call: Call) =>
  Effect.gen(function*() {
    const storage = required(call, "storage")
    const given = required(call, "volume")
    const volid = given.startsWith(`${storage}:`) ? given : `${storage}:${given}`
    const volume = (yield* contentOf(call)).find((one) => one.volid === volid)
    if (volume === undefined) return yield* died(`volume '${volid}' does not exist`)
    const refused = volumeRefusal(call, storage, volume)
    return refused === undefined ? volume : yield* refused
  })

const pathOf = (machine: Machine, volume: Volume): string => {
  const [storage = "", name = ""] = volume.volid.split(/:(.*)/s)
  const root = String(configOf(machine, storage)?.["path"] ?? "")
  const folder = { backup: "dump", iso: "template/iso", vztmpl: "template/cache" }[volume.content]
  return folder === undefined ? `${root}/images/${name}` : `${root}/${folder}/${name.slice(name.indexOf("/") + 1)}`
}

const attributes: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/content/{volume*}",
  permission: anyone,
  protected: true,
  parameters: { ...inPath, volume: { type: "string" } },
  handle: (call) =>
    Effect.map(volumeOf(call), (volume) => ({
      data: {
        path: pathOf(call.machine, volume),
        // The format is the image's, so an archive is `raw` here; sizes are of whole blocks.
        format: "raw",
        size: Math.ceil(volume.size / 512) * 512,
        used: Math.ceil(volume.size / 512) * 512,
        ...(volume.content === "backup" ? { notes: volume.notes ?? "", protected: volume.protected ? 1 : 0 } : {})
      }
    }))
}

const setAttributes: Endpoint = {
  method: "PUT",
  path: "/nodes/{node}/storage/{storage}/content/{volume*}",
  permission: anyone,
  protected: true,
  parameters: { ...inPath, volume: { type: "string" }, notes: Formats.text(), protected: Formats.flag },
  handle: (call) =>
    Effect.gen(function*() {
      const volume = yield* volumeOf(call)
      if (volume.content !== "backup") return yield* died("attributes are only supported for backup volumes")
      if (call.parameters.has("notes")) volume.notes = textOf(call, "notes")
      if (call.parameters.has("protected")) volume.protected = isSet(call, "protected")
      return { data: null }
    })
}

/** Storages: configuration, status, content (platform-facts 1.5, 1.6). */
export const endpoints: ReadonlyArray<Endpoint> = [configs, config, list, status, content, attributes, setAttributes]
