import { Effect } from "effect"
import { type ApiFailure, died } from "../ApiFailure.ts"
import { isSet, numberOf, required, textOf } from "../CallParameters.ts"
import { anyone, type Call, type Endpoint, type Json, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { removeVolume } from "../GuestBackup.ts"
import type { Machine } from "../Machine.ts"
import { pathOf, typeOf, unusable } from "../StorageState.ts"
import { exitStatus } from "../TaskTable.ts"
import * as Values from "../ValueFormats.ts"
import type { Volume } from "../Volume.ts"
import { volumeRefusal } from "../VolumeAccess.ts"
import { fail } from "../WorkerChecks.ts"
import { mayUseStorage } from "./Storage.ts"

const inPath = { node: Formats.node, storage: Formats.storage }
const volumeInPath = { ...inPath, volume: { type: "string" } } as const

const volumeRow = (volume: Volume): Json => ({
  volid: volume.volid,
  content: volume.content,
  format: volume.format,
  size: volume.size,
  ctime: volume.ctime,
  vmid: volume.vmid,
  subtype: volume.subtype,
  // Only the first line, and none of an empty note (platform-facts 1.5.2).
  notes: volume.notes?.split("\n")[0] || undefined,
  protected: volume.protected ? 1 : undefined,
  // A guest's own volume also says what it really takes, and what it was cloned from.
  ...(volume.content === "rootdir" || volume.content === "images" ? { used: volume.size, parent: null } : {})
})

const usableContent = (call: Call): Effect.Effect<ReadonlyArray<Volume>, ApiFailure> => {
  const storage = required(call, "storage")
  const trouble = unusable(call.machine.storages, storage)
  return trouble === undefined
    ? Effect.succeed(call.machine.content.get(storage) ?? [])
    : Effect.fail(died(trouble))
}

const list: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/content",
  permission: mayUseStorage,
  protected: true,
  parameters: { ...inPath, content: Values.of(Values.contentType), vmid: Formats.optional(Formats.vmid) },
  handle: (call) =>
    Effect.map(usableContent(call), (volumes) => ({
      data: volumes
        .filter((volume) =>
          volume.content === (textOf(call, "content") ?? volume.content) &&
          String(volume.vmid) === (textOf(call, "vmid") ?? String(volume.vmid)) &&
          volumeRefusal(call, required(call, "storage"), volume) === undefined
        )
        .map(volumeRow)
    }))
}

const volidOf = (call: Call): string => {
  const given = required(call, "volume")
  const storage = required(call, "storage")
  return given.startsWith(`${storage}:`) ? given : `${storage}:${given}`
}

const readable = (call: Call): Effect.Effect<Volume, ApiFailure> =>
  Effect.gen(function*() {
    const volid = volidOf(call)
    const volume = (yield* usableContent(call)).find((one) => one.volid === volid)
    if (volume === undefined) return yield* died(`volume '${volid}' does not exist`)
    const refused = volumeRefusal(call, required(call, "storage"), volume)
    return refused === undefined ? volume : yield* refused
  })

/** Where a volume lies on the host. */
export const volumePath = (machine: Machine, volid: string, content: string): string => {
  const [storage = "", name = ""] = volid.split(/:(.*)/s)
  const state = machine.storages.get(storage)
  const root = state === undefined ? "" : pathOf(state)
  const folder = { backup: "dump", iso: "template/iso", vztmpl: "template/cache" }[content]
  if (folder !== undefined) return `${root}/${folder}/${name.slice(name.indexOf("/") + 1)}`
  // A btrfs storage keeps each image in a subvolume of its own.
  return state !== undefined && typeOf(state) === "btrfs"
    ? `${root}/images/${name.replace(/\.raw$/, "")}/disk.raw`
    : `${root}/images/${name}`
}

const attributes: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/content/{volume*}",
  permission: anyone,
  protected: true,
  parameters: volumeInPath,
  handle: (call) =>
    Effect.map(readable(call), (volume) => ({
      data: {
        path: volumePath(call.machine, volume.volid, volume.content),
        // The format is the image's, so an archive is `raw` here; sizes are of whole blocks.
        format: "raw",
        size: Math.ceil(volume.size / 512) * 512,
        used: Math.ceil(volume.size / 512) * 512,
        ...(volume.content === "backup" ? { notes: volume.notes ?? "", protected: volume.protected ? 1 : 0 } : {})
      }
    }))
}

/** How many protected backups a guest may have on a storage; -1: any number (platform-facts 2.4). */
const protectedLimit = (call: Call): number => {
  const storage = required(call, "storage")
  const configured = call.machine.storages.get(storage)?.config["max-protected-backups"]
  return configured === undefined
    ? (may(call, `/storage/${storage}`, "Datastore.Allocate") ? -1 : 5)
    : Number(configured)
}

const setAttributes: Endpoint = {
  method: "PUT",
  path: "/nodes/{node}/storage/{storage}/content/{volume*}",
  permission: anyone,
  protected: true,
  parameters: { ...volumeInPath, notes: Formats.text(), protected: Formats.flag },
  handle: (call) =>
    Effect.gen(function*() {
      const volume = yield* readable(call)
      if (volume.content !== "backup") return yield* died("attributes are only supported for backup volumes")
      if (call.parameters.has("notes")) volume.notes = textOf(call, "notes")
      if (isSet(call, "protected") && !volume.protected) {
        const limit = protectedLimit(call)
        const others = (yield* usableContent(call)).filter((one) => one.vmid === volume.vmid && one.protected).length
        if (limit >= 0 && others >= limit) {
          return yield* died(
            `The number of protected backups per guest is limited to ${limit} on storage '${required(call, "storage")}'`
          )
        }
      }
      if (call.parameters.has("protected")) volume.protected = isSet(call, "protected")
      return { data: null }
    })
}

const backupName = /^[^:]+:backup\/vzdump-(?:lxc|qemu|openvz)-(\d+)-/

/** Who owns a volume: of a backup, its name tells, whether it is there or not (platform-facts 1.5.1). */
const ownerOf = (call: Call, volid: string): string | undefined => {
  const storage = required(call, "storage")
  const known = (call.machine.content.get(storage) ?? []).find((one) => one.volid === volid)?.vmid
  return backupName.exec(volid)?.[1] ?? (known === undefined ? undefined : String(known))
}

// Not Datastore.Allocate for a backup, even for those who hold it (platform-facts 7.1).
const deleteRefusal = (call: Call, volid: string, owner: string | undefined): ApiFailure | undefined => {
  const { identity, machine } = call
  const storage = `/storage/${required(call, "storage")}`
  return owner !== undefined && volid.includes(":backup/")
    ? missing(machine, identity, storage, ["Datastore.AllocateSpace"]) ??
      missing(machine, identity, `/vms/${owner}`, ["VM.Backup"])
    : missing(machine, identity, storage, ["Datastore.Allocate"])
}

const remove: Endpoint = {
  method: "DELETE",
  path: "/nodes/{node}/storage/{storage}/content/{volume*}",
  permission: anyone,
  protected: true,
  parameters: { ...volumeInPath, delay: Formats.integer(1, 30) },
  handle: (call) =>
    Effect.gen(function*() {
      const { machine } = call
      const storage = required(call, "storage")
      const volid = volidOf(call)
      const owner = ownerOf(call, volid)
      const refused = deleteRefusal(call, volid, owner)
      if (refused !== undefined) return yield* refused
      yield* usableContent(call)
      const upid = yield* machine.tasks.start({
        type: "imgdel",
        id: `${owner === undefined ? "" : `${owner}@`}${storage}`,
        user: call.identity.id,
        work: (worker) =>
          Effect.gen(function*() {
            yield* worker.take("50 millis")
            const volume = (machine.content.get(storage) ?? []).find((one) => one.volid === volid)
            if (volume?.protected === true) {
              return yield* fail(`cannot remove protected volume '${volid.slice(storage.length + 1)}' on '${storage}'`)
            }
            // A file that is gone already is no trouble.
            if (volume !== undefined) removeVolume(machine, volume)
            yield* worker.log(`Removed volume '${volid}'`)
          })
      })
      const delay = numberOf(call, "delay", 0)
      const task = machine.tasks.find(upid)
      if (delay === 0 || task === undefined || !(yield* machine.tasks.endsWithin(task, delay))) return { data: upid }
      const status = exitStatus(task)
      return status === "OK" ? { data: null } : yield* died(status)
    })
}

/** What storages hold (platform-facts 1.5). */
export const endpoints: ReadonlyArray<Endpoint> = [list, attributes, setAttributes, remove]
