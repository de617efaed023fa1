import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { Effect } from "effect"
import { ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { isSet, required, textOf, vmidOf } from "../CallParameters.ts"
import { all, type Call, either, type Endpoint, missing, type Permission } from "../Endpoint.ts"
import { formatLog } from "../FileSystemLog.ts"
import * as Formats from "../Formats.ts"
import { bytesOf, digestOf, type Guest, isTemplate, lockOf, makeGuest, volumesOf } from "../Guest.ts"
import { sourceOf } from "../LxcPermissions.ts"
import { allocateVolume, withFreshHwaddr } from "../LxcValues.ts"
import { guestOf, type Machine, nowSeconds, randomUuid } from "../Machine.ts"
import { holds, unusable } from "../StorageState.ts"
import type { Worker } from "../TaskTable.ts"
import { convertToTemplate } from "../TemplateWork.ts"
import * as Values from "../ValueFormats.ts"
import { checkLock, fail } from "../WorkerChecks.ts"
import { noVolume } from "./Lifecycle.ts"

const inPath = { node: Formats.node, vmid: Formats.vmid }

const storageOf = (volid: string): string => volid.slice(0, volid.indexOf(":"))

const refuseLock = (guest: Guest) => {
  const lock = lockOf(guest)
  return lock === undefined ? Effect.void : Effect.fail(died(`CT is locked (${lock})`))
}

/** A guest's volume on a storage that can take it, or why it can't. */
const mayTake = (call: Call, storage: string) =>
  Effect.gen(function*() {
    const refused = missing(call.machine, call.identity, `/storage/${storage}`, ["Datastore.AllocateSpace"])
    if (refused !== undefined) return yield* refused
    const trouble = unusable(call.machine.storages, storage)
    if (trouble !== undefined) return yield* died(trouble)
    const state = call.machine.storages.get(storage)
    if (state === undefined || !holds(state, "rootdir")) {
      return yield* badParameters({ storage: `storage '${storage}' does not support container directories` })
    }
  })

/** A full copy of a volume under a guest's id, as mkfs and rsync make it. */
const copyVolume = (machine: Machine, worker: Worker, vmid: number, storage: string, text: string, bytes: number) =>
  Effect.gen(function*() {
    const size = propertyOf(parsePropertyString(text), "size") ?? "1G"
    const volid = allocateVolume(machine, vmid, storage, bytesOf(size), yield* nowSeconds)
    yield* Effect.forEach(formatLog(bytesOf(size), yield* randomUuid), worker.log, { discard: true })
    yield* worker.take(200 + bytes / 200e6 * 1000)
    return volid
  })

const numbered = (prefix: string): ReadonlyArray<string> => Array.from({ length: 256 }, (_, at) => `${prefix}${at}`)

const movable = { type: "string", enum: ["rootfs", ...numbered("mp"), ...numbered("unused")] } as const

const moveVolume: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/lxc/{vmid}/move_volume",
  permission: all("/vms/{vmid}", "VM.Config.Disk"),
  protected: true,
  parameters: {
    ...inPath,
    "target-vmid": Formats.optional(Formats.vmid),
    volume: movable,
    "target-volume": Formats.optional(movable),
    storage: Formats.optional(Formats.storage),
    delete: Formats.flag,
    bwlimit: { type: "number", optional: true, minimum: 0 },
    digest: Formats.text(40),
    "target-digest": Formats.text(40)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const storage = textOf(call, "storage")
      const target = textOf(call, "target-vmid")
      if (storage !== undefined && target !== undefined) {
        return yield* died("either set storage or target-vmid, but not both")
      }
      if (storage === undefined) {
        const neither = "both 'storage' and 'target-vmid' missing, either needs to be set"
        return yield* target === undefined
          ? badParameters({ "target-vmid": neither, storage: neither })
          : new ApiFailure({ status: 501, message: "pve-sim does not simulate giving a volume to another container" })
      }
      const refused = missing(machine, identity, `/storage/${storage}`, ["Datastore.AllocateSpace"])
      if (refused !== undefined) return yield* refused
      const guest = yield* guestOf(machine, "lxc", vmidOf(call))
      yield* refuseLock(guest)
      if (guest.running) return yield* died("cannot move volumes of a running container")
      const key = required(call, "volume")
      if (key.startsWith("unused")) {
        return yield* died(
          `cannot move volume '${key}', only configured volumes can be moved to another storage`
        )
      }
      const text = guest.file.current.values.get(key)
      if (text === undefined) return yield* noVolume
      const source = sourceOf(text)
      const inSnapshots = Array.from(guest.file.snapshots.values()).some((section) =>
        volumesOf(guest, section).some((one) => one.source === source)
      )
      if (isSet(call, "delete") && inSnapshots) {
        return yield* died("you can't move a volume with snapshots and delete the source")
      }
      const digest = textOf(call, "digest")
      if (digest !== undefined && digest !== digestOf(guest)) {
        return yield* died("detected modified configuration - file changed by other user? Try again.")
      }
      guest.file.current.values.set("lock", "disk")
      const data = yield* machine.tasks.start({
        type: "move_volume",
        id: String(guest.vmid),
        user: identity.id,
        work: (worker) =>
          Effect.gen(function*() {
            if (source.startsWith("/")) {
              return yield* fail(`cannot copy volumes of type ${source.startsWith("/dev/") ? "device" : "bind"}`)
            }
            const trouble = unusable(machine.storages, storage)
            if (trouble !== undefined) return yield* fail(trouble)
            const state = machine.storages.get(storage)
            if (state !== undefined && !holds(state, "rootdir")) {
              return yield* fail(`content type 'rootdir' is not available or configured on storage '${storage}'`)
            }
            const { values } = guest.file.current
            const copied = yield* copyVolume(machine, worker, guest.vmid, storage, text, guest.bytes)
            values.set(key, text.replace(source, copied))
            if (isSet(call, "delete")) {
              const left = (machine.content.get(storageOf(source)) ?? []).filter(({ volid }) => volid !== source)
              machine.content.set(storageOf(source), left)
              return
            }
            let number = 0
            while (values.has(`unused${number}`)) number++
            values.set(`unused${number}`, source)
          }).pipe(Effect.ensuring(Effect.sync(() => guest.file.current.values.delete("lock"))))
      })
      return { data }
    })
}

const template: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/lxc/{vmid}/template",
  permission: all("/vms/{vmid}", "VM.Allocate"),
  protected: true,
  parameters: inPath,
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const guest = yield* guestOf(machine, "lxc", vmidOf(call))
      yield* refuseLock(guest)
      if (guest.file.snapshots.size > 0) {
        return yield* died("unable to create template, because CT contains snapshots")
      }
      if (isTemplate(guest)) return yield* died("you can't convert a template to a template")
      if (guest.running) return yield* died("you can't convert a CT to template if the CT is running")
      yield* machine.tasks.start({
        type: "vztemplate",
        id: String(guest.vmid),
        user: identity.id,
        work: (worker) =>
          guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
            yield* worker.take("100 millis")
            yield* convertToTemplate(machine, guest)
          }))
      })
      // The task is there, and nobody is told (platform-facts 7.2).
      return { data: null }
    })
}

/** VM.Clone on the source, and the right to make the new guest (platform-facts 1.2). */
const mayClone: Permission = {
  kind: "both",
  of: [all("/vms/{vmid}", "VM.Clone"), either(all("/vms/{newid}", "VM.Allocate"), all("/pool/{pool}", "VM.Allocate"))]
}

const cloneWork = (call: Call, worker: Worker, source: Guest, clone: Guest, storage: string | undefined) =>
  Effect.gen(function*() {
    const { machine } = call
    const made: Array<string> = []
    const undo = Effect.sync(() => {
      machine.guests.delete(clone.vmid)
      for (const [id, volumes] of machine.content) {
        machine.content.set(id, volumes.filter(({ volid }) => !made.includes(volid)))
      }
      source.file.current.values.delete("lock")
    })
    yield* Effect.gen(function*() {
      for (const [key, text] of source.file.current.values) {
        if (/^(?:lock|parent|template|unused\d+)$/.test(key)) continue
        if (/^net\d+$/.test(key)) clone.file.current.values.set(key, yield* withFreshHwaddr(machine, text))
        else if (/^(?:rootfs|mp\d+)$/.test(key)) {
          const volid = sourceOf(text)
          yield* worker.log(`create full clone of mountpoint ${key} (${volid})`)
          const copied = yield* copyVolume(machine, worker, clone.vmid, storage ?? storageOf(volid), text, source.bytes)
          made.push(copied)
          clone.file.current.values.set(key, text.replace(volid, copied))
        } else if (key !== "hostname" || textOf(call, "hostname") === undefined) {
          clone.file.current.values.set(key, text)
        }
      }
    }).pipe(Effect.tapError(() => undo))
    clone.file.current.values.delete("lock")
    source.file.current.values.delete("lock")
  })

const clone: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/lxc/{vmid}/clone",
  permission: mayClone,
  protected: true,
  parameters: {
    ...inPath,
    newid: Formats.vmid,
    hostname: { type: "string", optional: true, format: Values.dnsName },
    description: Formats.text(),
    pool: Values.of(Values.poolName),
    snapname: Formats.optional(Formats.snapname),
    storage: Formats.optional(Formats.storage),
    full: Formats.flag,
    target: Formats.optional(Formats.node),
    bwlimit: { type: "number", optional: true, minimum: 0 }
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const newid = Number(required(call, "newid"))
      const storage = textOf(call, "storage")
      const snapname = textOf(call, "snapname")
      const taken = [machine, ...machine.peers.map((peer) => peer.machine)].find(({ guests }) => guests.has(newid))
      if (taken !== undefined) {
        const kind = taken.guests.get(newid)?.type === "qemu" ? "VM" : "CT"
        return yield* died(`${kind} ${newid} already exists on node '${taken.node}'`)
      }
      const source = yield* guestOf(machine, "lxc", vmidOf(call))
      yield* refuseLock(source)
      const full = textOf(call, "full") === undefined ? !isTemplate(source) : isSet(call, "full")
      if (!full && storage !== undefined) {
        return yield* died("parameter 'storage' not allowed for linked clones")
      }
      if (snapname !== undefined && !source.file.snapshots.has(snapname)) {
        return yield* died(`snapshot '${snapname}' does not exist`)
      }
      for (const { key, source: volid } of volumesOf(source, source.file.current)) {
        if (volid.startsWith("/")) return yield* died(`unable to clone mountpoint '${key}' (type bind)`)
        if (!full) return yield* died(`Linked clone feature for '${volid}' is not available`)
        if (source.running && snapname === undefined) {
          return yield* died("Cannot do full clones on a running container without snapshots")
        }
        yield* mayTake(call, storage ?? storageOf(volid))
      }
      source.file.current.values.set("lock", "disk")
      const made = makeGuest({ vmid: newid, type: "lxc", configFile: "lock: create\n", speed: machine.speed })
      made.bytes = source.bytes
      made.file.current.description = textOf(call, "description") ?? source.file.current.description
      const hostname = textOf(call, "hostname")
      if (hostname !== undefined) made.file.current.values.set("hostname", hostname)
      machine.guests.set(newid, made)
      const data = yield* machine.tasks.start({
        type: "vzclone",
        id: String(source.vmid),
        user: identity.id,
        work: (worker) => cloneWork(call, worker, source, made, storage)
      })
      return { data }
    })
}

// How qemu-server grows a disk: the same size is no error there (platform-facts 1.3).
const resizeVm: Endpoint = {
  method: "PUT",
  path: "/nodes/{node}/qemu/{vmid}/resize",
  permission: all("/vms/{vmid}", "VM.Config.Disk"),
  protected: true,
  parameters: {
    ...inPath,
    skiplock: Formats.flag,
    disk: {
      type: "string",
      enum: [["ide", 4], ["scsi", 31], ["virtio", 16], ["sata", 6], ["efidisk", 1], ["tpmstate", 1]].flatMap((
        [bus, count]
      ) => Array.from({ length: Number(count) }, (_, at) => `${bus}${at}`))
    },
    size: { type: "string", pattern: /^\+?\d+(?:\.\d+)?[KMGT]?$/ },
    digest: Formats.text(40)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      if (isSet(call, "skiplock")) return yield* badParameters({ skiplock: "Only root may use this option." })
      const guest = yield* guestOf(machine, "qemu", vmidOf(call))
      const digest = textOf(call, "digest")
      if (digest !== undefined && digest !== digestOf(guest)) {
        return yield* died("checksum mismatch (file change by other user?)")
      }
      const lock = lockOf(guest)
      if (lock !== undefined) return yield* died(`VM is locked (${lock})`)
      const disk = required(call, "disk")
      const text = guest.file.current.values.get(disk)
      if (text === undefined) return yield* died(`disk '${disk}' does not exist`)
      const source = sourceOf(text)
      if (/(?:^|,)media=cdrom/.test(text)) return yield* died("you can't resize a cdrom")
      const refused = missing(machine, identity, `/storage/${storageOf(source)}`, ["Datastore.AllocateSpace"])
      if (refused !== undefined) return yield* refused
      const before = bytesOf(propertyOf(parsePropertyString(text), "size"))
      const asked = required(call, "size")
      const after = asked.startsWith("+") ? before + bytesOf(asked.slice(1)) : bytesOf(asked)
      if (after < before) return yield* died("shrinking disks is not supported")
      const data = yield* machine.tasks.start({
        type: "resize",
        id: String(guest.vmid),
        user: identity.id,
        work: (worker) =>
          guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
            yield* checkLock(guest)
            if (after === before) return
            yield* worker.take("200 millis")
            const gibibytes = after / 1024 ** 3
            const size = Number.isInteger(gibibytes) ? `${gibibytes}G` : `${Math.floor(after / 1024 ** 2)}M`
            guest.file.current.values.set(disk, text.replace(/size=[^,]*/, `size=${size}`))
            const storage = storageOf(source)
            const volumes = machine.content.get(storage) ?? []
            machine.content.set(storage, volumes.map((one) => one.volid === source ? { ...one, size: after } : one))
          }))
      })
      return { data }
    })
}

/** Copies, moves and conversions of guests and their volumes (platform-facts 1.2, 1.3). */
export const endpoints: ReadonlyArray<Endpoint> = [moveVolume, template, clone, resizeVm]
