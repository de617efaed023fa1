import { Effect } from "effect"
import { ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { isSet, required, textOf, vmidOf } from "../CallParameters.ts"
import { all, type Call, type Endpoint } from "../Endpoint.ts"
import { missing } from "../Endpoint.ts"
import { growLog } from "../FileSystemLog.ts"
import * as Formats from "../Formats.ts"
import { bytesOf, digestOf, type Guest, lockOf, volumesOf } from "../Guest.ts"
import { keyRefusal } from "../LxcPermissions.ts"
import { sizeText } from "../LxcValues.ts"
import { guestOf, type Machine } from "../Machine.ts"
import { splitList } from "../ParameterSchema.ts"
import { stop } from "../PowerWork.ts"
import { unusable } from "../StorageState.ts"
import type { Worker } from "../TaskTable.ts"
import type { Volume } from "../Volume.ts"
import { parseVolid } from "../VolumeName.ts"
import { checkLock, fail, workOn } from "../WorkerChecks.ts"
import { volumePath } from "./Content.ts"

type GuestType = "lxc" | "qemu"

const inPath = { node: Formats.node, vmid: Formats.vmid }

/** Every volume that a configuration names, snapshots, pending changes and `unusedN` among them. */
const named = (guest: Guest): ReadonlySet<string> => {
  const { current, pending, snapshots } = guest.file
  const values = [current.values, pending, ...Array.from(snapshots.values(), (section) => section.values)]
  return new Set(values.flatMap((one) => Array.from(one.values(), (text) => text.split(",")[0] ?? "")))
}

/**
 * Takes a guest off the host: its own volumes as its configuration names them, on every storage; those that nobody names only
 * when asked for; its ACL entries, and last its configuration (platform-facts 5.12).
 */
export const removeGuest = (machine: Machine, guest: Guest, unreferenced = false): void => {
  const volids = named(guest)
  for (const [storage, volumes] of machine.content) {
    const goes = (one: Volume): boolean =>
      one.vmid === guest.vmid && (one.content === "rootdir" || one.content === "images") &&
      (volids.has(one.volid) || unreferenced)
    machine.content.set(storage, volumes.filter((one) => !goes(one)))
  }
  machine.access.removeGuest(guest.vmid)
  machine.firewalls.delete(guest.vmid)
  machine.guests.delete(guest.vmid)
}

// A job that has no guest left goes with the last one.
const leaveJobs = (machine: Machine, vmid: number): void => {
  machine.backupJobs = machine.backupJobs.flatMap((job) => {
    const vmids = splitList(typeof job["vmid"] === "string" ? job["vmid"] : undefined)
    if (!vmids.includes(String(vmid))) return [job]
    const left = vmids.filter((one) => one !== String(vmid))
    return left.length === 0 ? [] : [{ ...job, vmid: left.join(",") }]
  })
}

/** One volume after the other goes, until one is where nothing can be reached; then the guest stays (platform-facts 5.12). */
const volumesReachable = (machine: Machine, guest: Guest) =>
  Effect.gen(function*() {
    for (const { source } of volumesOf(guest, guest.file.current)) {
      const storage = source.slice(0, Math.max(0, source.indexOf(":")))
      const volumes = machine.content.get(storage) ?? []
      if (!volumes.some(({ vmid, volid }) => volid === source && vmid === guest.vmid)) continue
      const trouble = unusable(machine.storages, storage)
      if (trouble !== undefined) return yield* fail(trouble)
      machine.content.set(storage, volumes.filter(({ volid }) => volid !== source))
    }
  })

const destroyWork = (call: Call, worker: Worker, type: GuestType) =>
  Effect.gen(function*() {
    const { machine } = call
    const guest = yield* workOn(machine, { type, vmid: vmidOf(call) })
    yield* checkLock(guest)
    if (guest.file.current.values.get("protection") === "1") {
      return yield* fail(`can't remove ${type === "lxc" ? "CT" : "VM"} ${guest.vmid} - protection mode enabled`)
    }
    if (guest.running) {
      if (!isSet(call, "force")) return yield* fail(`unable to destroy CT ${guest.vmid} - container is running`)
      yield* worker.log(`forced to stop CT ${guest.vmid} before destroying!`)
      yield* stop(worker, guest, [])
    }
    yield* worker.take("200 millis")
    yield* volumesReachable(machine, guest)
    if (isSet(call, "purge")) {
      const kind = type === "lxc" ? "CT" : "VM"
      yield* worker.log(`purging ${kind} ${guest.vmid} from related configurations..`)
      leaveJobs(machine, guest.vmid)
    }
    removeGuest(machine, guest, isSet(call, "destroy-unreferenced-disks"))
  })

const destroy = (type: GuestType): Endpoint => ({
  method: "DELETE",
  path: `/nodes/{node}/${type}/{vmid}`,
  permission: all("/vms/{vmid}", "VM.Allocate"),
  protected: true,
  parameters: {
    ...inPath,
    purge: Formats.flag,
    "destroy-unreferenced-disks": Formats.flag,
    ...(type === "lxc" ? { force: Formats.flag } : { skiplock: Formats.flag })
  },
  handle: (call) =>
    Effect.gen(function*() {
      const kind = type === "lxc" ? "CT" : "VM"
      if (isSet(call, "skiplock")) return yield* badParameters({ skiplock: "Only root may use this option." })
      const guest = yield* guestOf(call.machine, type, vmidOf(call))
      if (guest.file.current.values.get("protection") === "1") {
        return yield* died(`can't remove ${kind} ${guest.vmid} - protection mode enabled`)
      }
      const lock = lockOf(guest)
      if (lock !== undefined) return yield* died(`${kind} is locked (${lock})`)
      if (guest.haState !== undefined && !isSet(call, "purge")) {
        return yield* died(
          `unable to remove ${kind} ${guest.vmid} - used in HA resources and purge parameter not set.`
        )
      }
      if (guest.running && !isSet(call, "force")) {
        return yield* died(
          type === "lxc"
            ? `unable to destroy CT ${guest.vmid} - container is running`
            : `VM ${guest.vmid} is running - destroy failed`
        )
      }
      const data = yield* call.machine.tasks.start({
        type: type === "lxc" ? "vzdestroy" : "qmdestroy",
        id: String(guest.vmid),
        user: call.identity.id,
        work: (worker) => destroyWork(call, worker, type)
      })
      return { data }
    })
})

const sized = (text: string, bytes: number): string => {
  const size = sizeText(bytes)
  return /(?:^|,)size=/.test(text) ? text.replace(/size=[^,]*/, `size=${size}`) : `${text},size=${size}`
}

/** What comes of a mount that is not there: nothing is read as a property string, and lacks all that must be in one. */
export const noVolume = new ApiFailure({
  status: 500,
  message: "format error",
  errors: Object.fromEntries(
    ["volume", "mp"].map((name) => [name, "property is missing and it is not optional"])
  )
})

const growVolume = (machine: Machine, volid: string, bytes: number): void => {
  for (const [storage, volumes] of machine.content) {
    machine.content.set(storage, volumes.map((one) => one.volid === volid ? { ...one, size: bytes } : one))
  }
}

const resize: Endpoint = {
  method: "PUT",
  path: "/nodes/{node}/lxc/{vmid}/resize",
  permission: all("/vms/{vmid}", "VM.Config.Disk"),
  protected: true,
  parameters: {
    ...inPath,
    disk: { type: "string", enum: ["rootfs", ...Array.from({ length: 256 }, (_, number) => `mp${number}`)] },
    size: { type: "string", pattern: /^\+?\d+(?:\.\d+)?[KMGT]?$/ },
    digest: Formats.text(40)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const disk = required(call, "disk")
      const guest = yield* guestOf(machine, "lxc", vmidOf(call))
      const lock = lockOf(guest)
      if (lock !== undefined) return yield* died(`CT is locked (${lock})`)
      // The leftover key `disk` falls to the privilege of all other keys (platform-facts 7.1).
      const refused = keyRefusal(call, guest, "disk", disk)
      if (refused !== undefined) return yield* refused
      const digest = textOf(call, "digest")
      if (digest !== undefined && digest !== digestOf(guest)) {
        return yield* died("detected modified configuration - file changed by other user? Try again.")
      }
      const volume = volumesOf(guest, guest.file.current).find(({ key }) => key === disk)
      if (volume === undefined) return yield* noVolume
      const storage = volume.source.slice(0, Math.max(0, volume.source.indexOf(":")))
      const named = parseVolid(machine, volume.source)
      if (named === undefined) return yield* died(`unable to parse volume ID '${volume.source}'`)
      if (typeof named === "string") return yield* died(named)
      if (named.owner !== guest.vmid) {
        return yield* died(
          `can't resize mount point owned by another container (${named.owner}) at /usr/share/perl5/PVE/API2/LXC.pm line 2386.`
        )
      }
      const noSpace = missing(machine, identity, `/storage/${storage}`, ["Datastore.AllocateSpace"])
      if (noSpace !== undefined) return yield* noSpace
      const offline = unusable(machine.storages, storage)
      if (offline !== undefined) return yield* died(offline)
      const before = bytesOf(/(?:^|,)size=([^,]*)/.exec(volume.text)?.[1])
      const asked = required(call, "size")
      const after = asked.startsWith("+") ? before + bytesOf(asked.slice(1)) : bytesOf(asked)
      if (after < before) return yield* died("unable to shrink disk size")
      if (after === before) return yield* died("disk is already at specified size")
      const data = yield* machine.tasks.start({
        type: "resize",
        id: String(guest.vmid),
        user: identity.id,
        work: (worker) =>
          guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
            yield* checkLock(guest)
            yield* worker.take("300 millis")
            const path = volumePath(machine, volume.source, "rootdir")
            yield* Effect.forEach(growLog(path, before, after), worker.log, { discard: true })
            growVolume(machine, volume.source, after)
            guest.file.current.values.set(disk, sized(volume.text, after))
          }))
      })
      return { data }
    })
}

/** Destroying and growing guests (platform-facts 1.2, 5.12). */
export const endpoints: ReadonlyArray<Endpoint> = [
  destroy("lxc"),
  destroy("qemu"),
  resize
]
