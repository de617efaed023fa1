import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { Clock, Effect } from "effect"
import type { Identity } from "./AccessControl.ts"
import { volumePath } from "./api/Content.ts"
import { missing } from "./Endpoint.ts"
import { type Guest, isTemplate, makeGuest, setRunning, volumesOf } from "./Guest.ts"
import { emptySection, type GuestSection, parseGuestFile } from "./GuestFile.ts"
import { bridgeRefusal } from "./LxcPermissions.ts"
import type { Machine } from "./Machine.ts"
import { type ArchivedDisk, archivedDisks, restoredConfig } from "./MachineArchive.ts"
import { start } from "./PowerWork.ts"
import { allocateDisk } from "./QemuValues.ts"
import { holds, unusable } from "./StorageState.ts"
import type { TaskFailure, Worker } from "./TaskTable.ts"
import { convertToTemplate } from "./TemplateWork.ts"
import { poolTrouble } from "./ThinPools.ts"
import type { Archive } from "./Volume.ts"
import { fail } from "./WorkerChecks.ts"

/** A restore of a virtual machine, as the request asks for it. */
export interface MachineRestore {
  readonly vmid: number
  readonly identity: Identity
  /** The volid of the archive. */
  readonly source: string
  /** Undefined: each disk on the storage that it was on. */
  readonly storage: string | undefined
  readonly unique: boolean
  /** Values as they will stand in the file: they win over the archive's. */
  readonly given: ReadonlyMap<string, string>
  readonly description: string | undefined
  readonly start: boolean
}

const dropVolumes = (machine: Machine, volids: ReadonlySet<string>): void => {
  for (const [storage, volumes] of machine.content) {
    machine.content.set(storage, volumes.filter(({ volid }) => !volids.has(volid)))
  }
}

const replaceFile = (guest: Guest, current: GuestSection): void => {
  guest.file.current = current
  guest.file.pending = new Map()
  guest.file.snapshots.clear()
}

/** What a card, a passed device and a mapping take: the archive's are looked at, too, before and after (qemu-server). */
const permitted = (machine: Machine, job: MachineRestore, values: ReadonlyMap<string, string>) =>
  Effect.gen(function*() {
    for (const [key, text] of values) {
      const refused = /^net\d+$/.test(key) ? bridgeRefusal(machine, job.identity, text) : undefined
      if (refused !== undefined) return yield* fail(`403 ${refused.message}`)
      const property = parsePropertyString(text)
      const device = propertyOf(property, "host") ?? property.bare
      if (/^(?:usb|hostpci)\d+$/.test(key) && device?.toLowerCase() !== "spice" && job.identity.id !== "root@pam") {
        const what = key.startsWith("usb") ? "real" : "non-mapped"
        return yield* fail(`only root can set '${key}' config for ${what} devices`)
      }
    }
  })

/** The command line of an extraction, as its error names it. */
const extractCommand = (machine: Machine, job: MachineRestore, { pid }: Worker): string => {
  const path = volumePath(machine, job.source, "backup")
  const unpacked = { zst: "zstd -q -d -c", gz: "zcat", lzo: "lzop -d -c" }[/\.vma\.(\w+)$/.exec(path)?.[1] ?? ""]
  const extract = (from: string) => `vma extract -v -r /var/tmp/vzdumptmp${pid}.fifo ${from} /var/tmp/vzdumptmp${pid}`
  return unpacked === undefined ? extract(path) : `set -o pipefail && ${unpacked} ${path} | ${extract("-")}`
}

const mayLie = (machine: Machine, job: MachineRestore, { storage }: ArchivedDisk) =>
  Effect.gen(function*() {
    const state = machine.storages.get(storage)
    if (state === undefined) return yield* fail(`storage '${storage}' does not exist`)
    if (!holds(state, "images")) return yield* fail(`Content type 'images' is not available on storage '${storage}'`)
    const refused = job.identity.id === "root@pam"
      ? undefined
      : missing(machine, job.identity, `/storage/${storage}`, ["Datastore.AllocateSpace"])
    if (refused !== undefined) return yield* fail(`403 ${refused.message}`)
  })

/** The disks that are restored go first; whatever else the old machine had is found unreferenced in the end (qemu-server). */
const dropOld = (machine: Machine, guest: Guest, disks: ReadonlyArray<ArchivedDisk>): void => {
  const own = volumesOf(guest, guest.file.current).filter(({ key, source }) =>
    disks.some((disk) => disk.key === key) && new RegExp(`[:/](?:vm|base)-${guest.vmid}-`).test(source)
  )
  dropVolumes(machine, new Set(own.map(({ source }) => source)))
}

const allocate = (
  machine: Machine,
  worker: Worker,
  job: MachineRestore,
  disks: ReadonlyArray<ArchivedDisk>,
  made: Map<string, string>
) =>
  Effect.gen(function*() {
    for (const disk of disks) {
      const trouble = unusable(machine.storages, disk.storage) ??
        poolTrouble(machine, disk.storage, `vm-${job.vmid}-disk-0`)
      if (trouble !== undefined) return yield* fail(trouble)
      const volid = yield* allocateDisk(machine, job.vmid, disk)
      made.set(disk.key, volid)
      yield* worker.log(`new volume ID is '${volid}'`)
    }
    for (const { cloudInit, key } of disks) {
      if (cloudInit) continue
      const path = volumePath(machine, made.get(key) ?? "", "images")
      yield* worker.log(`map 'drive-${key}' to '${path}' (write zeros = 1)`)
    }
  })

// What vma says when it gives up (exit code 133: its own abort). Unlike a container's files, a disk's are written by qemu itself,
// which hears of a full disk: what platform-facts 11, item 6, says of an `OK` is the containers' alone.
const extract = (
  machine: Machine,
  worker: Worker,
  archive: Archive,
  disks: ReadonlyArray<ArchivedDisk>,
  command: string
) =>
  Effect.gen(function*() {
    yield* worker.take(200 + archive.bytes / 200e6 * 1000)
    const full = disks.find(({ storage }) => (machine.storages.get(storage)?.avail ?? 0) < archive.bytes)
    if (archive.truncated) {
      yield* worker.log(`vma: restore failed - short vma extent (${archive.bytes - 1} < ${archive.bytes})`)
    } else if (full !== undefined) {
      yield* worker.log(`vma: restore failed - vma blk_flush drive-${full.key} failed`)
    } else {
      yield* worker.log(`progress 100% (read ${archive.bytes} bytes, duration 0 sec)`)
      return yield* worker.log(`total bytes read ${archive.bytes}, sparse bytes 0 (0%)`)
    }
    return yield* fail(`command '${command}' failed: exit code 133`)
  })

/** Volumes of this number that its configuration does not name come back as unused ones. */
const rescan = (machine: Machine, worker: Worker, guest: Guest) =>
  Effect.gen(function*() {
    yield* worker.log("rescan volumes...")
    const { values } = guest.file.current
    const named = new Set(Array.from(values.values(), (text) => text.split(",")[0]))
    const own = Array.from(machine.content.values()).flat().filter(({ content, vmid }) =>
      vmid === guest.vmid && (content === "images" || content === "rootdir")
    )
    for (const { volid } of own) {
      if (named.has(volid)) continue
      let number = 0
      while (values.has(`unused${number}`)) number++
      values.set(`unused${number}`, volid)
      yield* worker.log(`VM ${guest.vmid} add unreferenced volume '${volid}' as 'unused${number}' to config`)
    }
  })

const unpack = (
  machine: Machine,
  worker: Worker,
  job: MachineRestore,
  guest: Guest,
  archive: Archive,
  config: string
) =>
  Effect.gen(function*() {
    const command = extractCommand(machine, job, worker)
    const disks = archivedDisks(config, job.storage)
    yield* worker.log(`restore vma archive: ${command.replace(/^set -o pipefail && /, "")}`)
    yield* worker.log(`CFG: size: ${config.length} name: qemu-server.conf`)
    const held = disks.filter(({ cloudInit }) => !cloudInit)
    for (const [at, { bytes, key }] of held.entries()) {
      yield* worker.log(`DEV: dev_id=${at + 1} size: ${bytes} devname: drive-${key}`)
    }
    if (archive.firewall !== undefined) machine.firewalls.set(job.vmid, archive.firewall)
    for (const disk of disks) yield* mayLie(machine, job, disk)
    const made = new Map<string, string>()
    dropOld(machine, guest, disks)
    // From here to the end the number's file holds no more than this, and no lock (qemu-server, restore_vma_archive).
    replaceFile(guest, { ...emptySection(), values: new Map([["memory", "128"]]) })
    yield* Effect.zipRight(
      allocate(machine, worker, job, disks, made),
      extract(machine, worker, archive, disks, command)
    ).pipe(Effect.tapError(() =>
      Effect.gen(function*() {
        dropVolumes(machine, new Set(made.values()))
        for (const volid of made.values()) yield* worker.log(`temporary volume '${volid}' successfully removed`)
      })
    ))
    const restored = yield* restoredConfig(machine, config, made, job.unique)
    for (const [key, value] of job.given) restored.values.set(key, value)
    if (job.description !== undefined) restored.description = job.description
    yield* permitted(machine, job, restored.values)
    replaceFile(guest, restored)
    guest.bytes = archive.bytes
    yield* rescan(machine, worker, guest)
  })

const restored = (machine: Machine, worker: Worker, job: MachineRestore, guest: Guest) =>
  Effect.gen(function*() {
    const what = `unable to restore VM ${job.vmid} -`
    if (guest.file.current.values.get("protection") === "1") return yield* fail(`${what} - protection mode enabled`)
    if (guest.running) return yield* fail(`${what} vm is running`)
    setRunning(guest, false, yield* Clock.currentTimeMillis, 0)
    yield* worker.take("50 millis")
    const path = volumePath(machine, job.source, "backup")
    const storage = job.source.slice(0, job.source.indexOf(":"))
    const archive = (machine.content.get(storage) ?? []).find(({ volid }) => volid === job.source)?.archive
    const config = archive?.config
    if (config === undefined) {
      yield* worker.log("Could not extract backed up config: ERROR: archive contains no configuration file")
      yield* worker.log("Skipping early checks!")
    } else if (!/\.(?:tgz|tar(?:\.\w+)?)$/.test(path)) {
      const { current } = parseGuestFile(config)
      yield* permitted(machine, job, new Map([...current.values, ...job.given]))
    }
    if (/\.(?:tgz|tar(?:\.\w+)?)$/.test(path)) {
      const along = [...job.given.keys(), ...(job.description === undefined ? [] : ["description"])]
      return yield* fail(
        along.length > 0
          ? `cannot pass along options (${along.join(" ")}) when restoring from tar archive`
          : `ERROR: file '${path}' does not look like a QemuServer vzdump backup`
      )
    }
    if (archive === undefined || config === undefined) {
      return yield* fail(`command '${extractCommand(machine, job, worker)}' failed: exit code 133`)
    }
    yield* unpack(machine, worker, job, guest, archive, config)
    if (isTemplate(guest)) {
      yield* worker.log("Convert to template.")
      yield* Effect.catchAll(convertToTemplate(machine, guest), ({ message }) => worker.log(message))
    }
  })

/**
 * Takes the number for a machine to come, or locks the one that is there: until its disks are made nothing but the lock stands in
 * a new one's file.
 */
export const reserveMachine = (machine: Machine, vmid: number, lock: "create" | "clone" = "create"): Guest => {
  const guest = machine.guests.get(vmid) ??
    makeGuest({ vmid, type: "qemu", configFile: "", speed: machine.speed })
  guest.file.current.values.set("lock", lock)
  machine.guests.set(vmid, guest)
  return guest
}

/** What every restore that fails takes back is its lock, and nothing else (qemu-server, create_vm). */
export const giveUpMachine = (guest: Guest): Effect.Effect<void> =>
  Effect.sync(() => {
    guest.file.current.values.delete("lock")
  })

/**
 * The work of restoring a virtual machine. Unlike a container that fails, one that fails stays: with nothing but its memory in its
 * configuration, and without a lock, while the volumes that were made for it go.
 */
export const restoreMachine = (
  machine: Machine,
  worker: Worker,
  job: MachineRestore,
  guest: Guest
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    yield* guest.fileLock.hold(fail, worker)(restored(machine, worker, job, guest)).pipe(
      Effect.tapError(() =>
        Effect.gen(function*() {
          if (!guest.file.current.values.has("lock")) {
            yield* worker.log("no lock found trying to remove 'create'  lock")
          }
          yield* giveUpMachine(guest)
          yield* worker.log(
            "error before or during data restore, some or all disks were not completely restored. " +
              `VM ${job.vmid} state is NOT cleaned up.`
          )
        })
      )
    )
    if (!job.start) return
    yield* worker.log("Execute autostart")
    yield* Effect.catchAll(start(machine, worker, guest), ({ message }) => worker.log(message))
  })
