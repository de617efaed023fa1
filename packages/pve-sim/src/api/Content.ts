import { Effect } from "effect"
import { ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { isSet, numberOf, required, textOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { removeVolume } from "../GuestBackup.ts"
import { type Machine, nowSeconds } from "../Machine.ts"
import { holds, pathOf, type StorageState, typeOf, unusable } from "../StorageState.ts"
import { exitStatus } from "../TaskTable.ts"
import * as Values from "../ValueFormats.ts"
import type { Volume } from "../Volume.ts"
import { volumeRefusal } from "../VolumeAccess.ts"
import { parseVolid, type VolumeName } from "../VolumeName.ts"
import { fail } from "../WorkerChecks.ts"
import { mayUseStorage } from "./Storage.ts"

const inPath = { node: Formats.node, storage: Formats.storage }
const volumeInPath = { ...inPath, volume: { type: "string" } } as const

const isImage = ({ content }: Volume): boolean => content === "rootdir" || content === "images"

/** Of a volume of LVM `lvs` gives the time as text, and neither what it takes nor where it comes from (pve-storage LvmThinPlugin). */
const volumeRow = (volume: Volume, onLvm: boolean): Json => ({
  volid: volume.volid,
  content: volume.content,
  format: volume.format,
  size: volume.size,
  ctime: onLvm ? String(volume.ctime) : volume.ctime,
  vmid: volume.vmid,
  subtype: volume.subtype,
  // Only the first line, and none of an empty note (platform-facts 1.5.2).
  notes: volume.notes?.split("\n")[0] || undefined,
  protected: volume.protected ? 1 : undefined,
  // A guest's own volume also says what it really takes, and what it was cloned from.
  ...(isImage(volume) && !onLvm ? { used: volume.size, parent: null } : {})
})

/** An image is told by who owns it: a container's is its root, anything else an image. */
const contentOf = (machine: Machine, volume: Volume): string =>
  volume.content === "rootdir" || volume.content === "images"
    ? machine.guests.get(volume.vmid ?? 0)?.type === "lxc" ? "rootdir" : "images"
    : volume.content

/** What a storage holds of the kinds that it is for; the rest lies there, and nobody is told. */
const usableContent = (call: Call): Effect.Effect<ReadonlyArray<Volume>, ApiFailure> =>
  Effect.suspend(() => {
    const { content, storages } = call.machine
    const storage = required(call, "storage")
    const trouble = unusable(storages, storage)
    if (trouble !== undefined) return Effect.fail(died(trouble))
    const state = storages.get(storage)
    return Effect.succeed(
      (content.get(storage) ?? [])
        .map((volume) => ({ ...volume, content: contentOf(call.machine, volume) }))
        .filter((volume) => state !== undefined && holds(state, volume.content))
    )
  })

const list: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/content",
  permission: mayUseStorage,
  protected: true,
  parameters: { ...inPath, content: Values.of(Values.contentType), vmid: Formats.optional(Formats.vmid) },
  handle: (call) =>
    Effect.map(usableContent(call), (volumes) => {
      const state = call.machine.storages.get(required(call, "storage"))
      const onLvm = state !== undefined && typeOf(state).startsWith("lvm")
      const shown = volumes
        .filter((volume) =>
          volume.content === (textOf(call, "content") ?? volume.content) &&
          String(volume.vmid) === (textOf(call, "vmid") ?? String(volume.vmid)) &&
          volumeRefusal(call, volume.volid) === undefined
        )
      return { data: shown.map((volume) => volumeRow(volume, onLvm)) }
    })
}

/** The volume that the path names, with its storage or without; of another storage, it is refused. */
const volidOf = (call: Call): Effect.Effect<string, ApiFailure> =>
  Effect.suspend(() => {
    const given = required(call, "volume")
    const storage = required(call, "storage")
    if (!given.includes(":")) return Effect.succeed(`${storage}:${given}`)
    if (given.startsWith(`${storage}:`)) return Effect.succeed(given)
    const [, other] = /^([a-z][a-z0-9\-_.]*[a-z0-9]):.+$/i.exec(given) ?? []
    return Effect.fail(badParameters({
      volume: other === undefined
        ? `unable to parse volume ID '${given}'\n`
        : `storage ID mismatch (${other} != ${storage})\n`
    }))
  })

/** The volid of a volume that the caller may use, and the volume if it is there. */
const usable = (call: Call) =>
  Effect.gen(function*() {
    const volid = yield* volidOf(call)
    const refused = volumeRefusal(call, volid)
    if (refused !== undefined) return yield* refused
    const storage = required(call, "storage")
    const mounted = call.machine.storages.get(storage)?.active === 1
    const volume = mounted ? (call.machine.content.get(storage) ?? []).find((one) => one.volid === volid) : undefined
    return { volid, volume }
  })

/** Where a volume is found that is no file; undefined of all others. */
const devicePath = (state: StorageState, name: string): string | undefined => {
  const pool = String(state.config["pool"] ?? "")
  switch (typeOf(state)) {
    case "lvm":
    case "lvmthin":
      return `/dev/${String(state.config["vgname"] ?? "")}/${name}`
    case "zfspool":
      return /^(?:subvol|basevol)-/.test(name) ? `/${pool}/${name}` : `/dev/zvol/${pool}/${name}`
    default:
      return undefined
  }
}

/** Where a volume lies on the host. */
export const volumePath = (machine: Machine, volid: string, content: string): string => {
  const [storage = "", name = ""] = volid.split(/:(.*)/s)
  const state = machine.storages.get(storage)
  const root = state === undefined ? "" : pathOf(state)
  const folder = { backup: "dump", iso: "template/iso", vztmpl: "template/cache" }[content]
  if (folder !== undefined) return `${root}/${folder}/${name.slice(name.indexOf("/") + 1)}`
  const device = state === undefined ? undefined : devicePath(state, name)
  if (device !== undefined) return device
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
    Effect.gen(function*() {
      const { volid, volume } = yield* usable(call)
      if (volume === undefined) return yield* died(`volume_size_info on '${volid}' failed - no format`)
      const bytes = volume.format === "subvol" ? 0 : Math.ceil(volume.size / 512) * 512
      return {
        data: {
          path: volumePath(call.machine, volid, volume.content),
          // The format is the image's, so an archive is `raw` here; sizes are of whole blocks.
          format: volume.format === "subvol" ? "subvol" : "raw",
          size: bytes,
          used: bytes,
          ...(volume.content === "backup" ? { notes: volume.notes ?? "", protected: volume.protected ? 1 : 0 } : {})
        }
      }
    })
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
      const { volid, volume } = yield* usable(call)
      const isBackup = volid.includes(":backup/")
      if (call.parameters.has("notes")) {
        if (!isBackup) return yield* died("only backups can have notes")
        if (volume !== undefined) volume.notes = textOf(call, "notes")
      }
      if (!call.parameters.has("protected")) return { data: null }
      if (!isBackup) return yield* died("only backups support attribute 'protected'")
      // Of a file that is not there, only the mark beside it is made, which nobody sees.
      if (volume === undefined) return { data: null }
      if (isSet(call, "protected") && !volume.protected) {
        const limit = protectedLimit(call)
        const others = (yield* usableContent(call)).filter((one) =>
          one.content === "backup" && one.vmid === volume.vmid && one.subtype === volume.subtype && one.protected
        ).length
        if (limit >= 0 && volume.vmid !== undefined && others >= limit) {
          return yield* died(
            `The number of protected backups per guest is limited to ${limit} on storage '${required(call, "storage")}'`
          )
        }
      }
      volume.protected = isSet(call, "protected")
      return { data: null }
    })
}

// Not Datastore.Allocate for a backup, even for those who hold it (platform-facts 7.1).
const deleteRefusal = (call: Call, { content, owner }: VolumeName): ApiFailure | undefined => {
  const { identity, machine } = call
  const storage = `/storage/${required(call, "storage")}`
  return owner !== undefined && content === "backup"
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
      const volid = yield* volidOf(call)
      const named = parseVolid(machine, volid)
      if (named === undefined || typeof named === "string") return yield* died(named ?? "")
      const { owner } = named
      const refused = deleteRefusal(call, named)
      if (refused !== undefined) return yield* refused
      const upid = yield* machine.tasks.start({
        type: "imgdel",
        id: `${owner === undefined ? "" : `${owner}@`}${storage}`,
        user: call.identity.id,
        work: (worker) =>
          Effect.gen(function*() {
            yield* worker.take("50 millis")
            const trouble = unusable(machine.storages, storage)
            if (trouble !== undefined) return yield* fail(trouble)
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

const kibibytes = (size: string): number => {
  const [, digits = "0", unit = ""] = /^(\d+)([MG]?)$/.exec(size) ?? []
  return Number(digits) * ({ M: 1024, G: 1024 ** 2 }[unit] ?? 1)
}

const allocate: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/storage/{storage}/content",
  permission: all("/storage/{storage}", "Datastore.AllocateSpace"),
  protected: true,
  parameters: {
    ...inPath,
    filename: { type: "string" },
    vmid: Formats.vmid,
    size: { type: "string", pattern: /^\d+[MG]?$/ },
    format: { ...Formats.choice("raw", "qcow2", "subvol", "vmdk"), requires: "size" }
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { machine } = call
      const [storage, name] = [required(call, "storage"), required(call, "filename")]
      const given = textOf(call, "format")
      const named = /\.(raw|qcow2|vmdk)$/.exec(name)?.[1]
      if (given !== undefined && named !== undefined && given !== named) {
        return yield* badParameters({ format: `different storage formats (${given} != ${named})` })
      }
      const trouble = unusable(machine.storages, storage)
      if (trouble !== undefined) return yield* died(trouble)
      const state = machine.storages.get(storage)
      if (state === undefined || !["dir", "btrfs"].includes(typeOf(state))) {
        return yield* new ApiFailure({ status: 501, message: "pve-sim allocates images on directories and btrfs only" })
      }
      const format = named ?? given ?? "raw"
      const [, end] = /^(?:(?:vm-|base-|subvol-)\d+-[^/\s]+|(?:base-)?[^/\s]+)\.(raw|qcow2|vmdk|subvol)$/.exec(name) ??
        []
      if (end === undefined) return yield* died(`unable to parse volume filename '${name}'`)
      if (end !== format) {
        return yield* died(`illegal name '${name}' - wrong extension for format ('${end} != '${format}')`)
      }
      const vmid = Number(required(call, "vmid"))
      const volid = `${storage}:${vmid}/${name}`
      const volumes = machine.content.get(storage) ?? []
      const path = volumePath(machine, volid, "images")
      if (volumes.some((one) => one.volid === volid)) {
        return yield* died(`disk image '${path.replace(/\/disk\.raw$/, "")}' already exists`)
      }
      machine.content.set(storage, [...volumes, {
        volid,
        content: "images",
        format,
        size: kibibytes(required(call, "size")) * 1024,
        ctime: yield* nowSeconds,
        vmid,
        subtype: undefined,
        notes: undefined,
        protected: false
      }])
      return { data: volid }
    })
}

/** What storages hold (platform-facts 1.5). */
export const endpoints: ReadonlyArray<Endpoint> = [list, allocate, attributes, setAttributes, remove]
