import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { Clock, Effect } from "effect"
import type { Identity } from "./AccessControl.ts"
import { volumePath } from "./api/Content.ts"
import { unpackCommand } from "./BackupTarget.ts"
import { missing } from "./Endpoint.ts"
import { formatLog, tarTotals } from "./FileSystemLog.ts"
import { bytesOf, type Guest, isRawKey, isTemplate, makeGuest, setRunning, volumesOf } from "./Guest.ts"
import { emptySection, type GuestSection } from "./GuestFile.ts"
import { bridgeRefusal } from "./LxcPermissions.ts"
import { mountProperties } from "./LxcSchema.ts"
import { allocateVolume, freeVolumeName, mountOf, withFreshHwaddr } from "./LxcValues.ts"
import { type Machine, nowSeconds, randomUuid } from "./Machine.ts"
import { start } from "./PowerWork.ts"
import { readProperties } from "./PropertyFormat.ts"
import { typeOf } from "./StorageState.ts"
import { TaskFailure, type Worker } from "./TaskTable.ts"
import { convertToTemplate } from "./TemplateWork.ts"
import { poolTrouble } from "./ThinPools.ts"
import type { Archive } from "./Volume.ts"
import { fail } from "./WorkerChecks.ts"

/** A create or a restore, as the request asks for it. */
export interface Provision {
  readonly vmid: number
  readonly identity: Identity
  /** The volid of the archive or the template. */
  readonly source: string
  readonly restore: boolean
  readonly unique: boolean
  /** Undefined: as in the archive, or 1 for a new guest. */
  readonly unprivileged: boolean | undefined
  readonly storage: string
  /** Values as they will stand in the file; volumes still as `STORAGE:GiB`. */
  readonly given: ReadonlyMap<string, string>
  readonly description: string | undefined
  readonly start: boolean
}

interface Planned {
  readonly key: string
  readonly storage: string
  readonly bytes: number
  /** All that stands beside volume and size. */
  readonly options: ReadonlyArray<readonly [string, string]>
}

const isVolumeKey = (key: string): boolean => /^(?:rootfs|mp\d+)$/.test(key)

const optionsOf = (text: string): ReadonlyArray<readonly [string, string]> => {
  const found = readProperties(text, mountProperties, "volume")
  return typeof found === "string" ? [] : Array.from(found).filter(([name]) => name !== "size" && name !== "volume")
}

// Volumes are made in whole mebibytes, and what is asked for beyond them is left away (pve-container, create_disks).
const wholeMebibytes = (bytes: number): number => Math.floor(bytes / 1024 ** 2) * 1024 ** 2

/** The volumes to make: those of the request, or else those of the archive, all of them on one storage (platform-facts 5.3). */
const plan = (job: Provision, archived: Guest | undefined): Effect.Effect<ReadonlyArray<Planned>, TaskFailure> =>
  Effect.gen(function*() {
    const asked = Array.from(job.given).filter(([key]) => isVolumeKey(key))
    if (job.given.has("rootfs") || archived === undefined) {
      const wanted = job.given.has("rootfs") ? asked : [["rootfs", `${job.storage}:4`] as const, ...asked]
      return wanted.flatMap(([key, text]) => {
        const [, storage, gibibytes] = /^(?:([^:,]+):)?(\d+(?:\.\d+)?)(?:,|$)/.exec(text) ?? []
        return gibibytes === undefined
          ? []
          : [{
            key,
            storage: storage ?? job.storage,
            bytes: wholeMebibytes(Number(gibibytes) * 1024 ** 3),
            options: optionsOf(text)
          }]
      })
    }
    const planned: Array<Planned> = []
    for (const { key, source, text } of volumesOf(archived, archived.file.current)) {
      if (source.startsWith("/")) {
        const kind = source.startsWith("/dev/") ? "device" : "bind"
        return yield* fail(`restoring '${key}' to ${kind} mount is only possible for root`)
      }
      const size = propertyOf(parsePropertyString(text), "size")
      if (size === undefined) return yield* fail(`unable to detect disk size - please specify ${key} (size)`)
      planned.push({ key, storage: job.storage, bytes: wholeMebibytes(bytesOf(size)), options: optionsOf(text) })
    }
    return planned
  })

/** What tar and its helper say of a file without a byte in it. */
const emptyArchiveLines = (format: string): ReadonlyArray<string> => [
  "tar: This does not look like a tar archive",
  ...(format === "tar.zst" ? ["zstd: /*stdin*\\: unexpected end of file "] : []),
  "tar: Child returned status 1",
  "tar: Error is not recoverable: exiting now"
]

const archiveOf = (machine: Machine, worker: Worker, job: Provision): Effect.Effect<Archive, TaskFailure> =>
  Effect.suspend(() => {
    const storage = job.source.slice(0, job.source.indexOf(":"))
    const volume = (machine.content.get(storage) ?? []).find(({ volid }) => volid === job.source)
    if (volume === undefined) return Effect.fail(fail(`volume '${job.source}' does not exist`))
    // A machine's archive is none that tar reads.
    if (volume.archive?.config !== undefined && !volume.format.startsWith("vma")) return Effect.succeed(volume.archive)
    return (volume.archive?.bytes === 0
      ? Effect.forEach(emptyArchiveLines(volume.format), worker.log, { discard: true })
      : Effect.void).pipe(
        Effect.zipRight(Effect.fail(fail("ERROR: archive contains no configuration file")))
      )
  })

/** What only the archive tells, and so only the worker can refuse (platform-facts 1.2.1, step 8). */
const permitted = (machine: Machine, job: Provision, archived: Guest, old: Guest | undefined) =>
  Effect.gen(function*() {
    for (const [key, text] of archived.file.current.values) {
      if (!/^net\d+$/.test(key) || job.given.has(key)) continue
      const refused = bridgeRefusal(machine, job.identity, text)
      if (refused !== undefined) return yield* fail(`403 ${refused.message}`)
    }
    const unprivileged = job.unprivileged ?? archived.file.current.values.get("unprivileged") === "1"
    const wasPrivileged = old !== undefined && old.file.current.values.get("unprivileged") !== "1"
    const refused = unprivileged || wasPrivileged
      ? undefined
      : missing(machine, job.identity, "/", ["Sys.Modify"])
    return refused === undefined ? unprivileged : yield* fail(`403 ${refused.message}`)
  })

const format = (machine: Machine, worker: Worker, volid: string, one: Planned) =>
  Effect.gen(function*() {
    const storage = machine.storages.get(one.storage)
    // A subvolume is a file system already.
    if (/[:/]subvol-/.test(volid)) return yield* worker.take("100 millis")
    if (storage !== undefined && typeOf(storage) === "dir") {
      const path = volumePath(machine, volid, "rootdir")
      yield* worker.log(`Formatting '${path}', fmt=raw size=${one.bytes} preallocation=off`)
    }
    const lines = formatLog(one.bytes, yield* randomUuid)
    yield* Effect.forEach(lines, worker.log, { discard: true })
    yield* worker.take("100 millis")
  })

const dropVolumes = (machine: Machine, volids: ReadonlyArray<string>): void => {
  for (const [storage, volumes] of machine.content) {
    machine.content.set(storage, volumes.filter(({ volid }) => !volids.includes(volid)))
  }
}

/** All volumes that a guest owns, whether its configuration still names them or not. */
const ownVolumes = (guest: Guest): ReadonlyArray<string> => {
  const values = [guest.file.current, ...guest.file.snapshots.values()].flatMap((section) => Array.from(section.values))
  const named = values.flatMap((
    [key, text]
  ) => (/^(?:rootfs|mp\d+|unused\d+)$/.test(key) ? [text.split(",")[0] ?? ""] : []))
  const own = new RegExp(`^[^:]+:(?:${guest.vmid}/|(?:vm|subvol)-${guest.vmid}-)`)
  return named.filter((volid) => own.test(volid))
}

const merge = (
  job: Provision,
  archived: Guest | undefined,
  current: GuestSection,
  unprivileged: boolean
): void => {
  const wasUnprivileged = archived?.file.current.values.get("unprivileged") === "1"
  for (const [key, value] of archived?.file.current.values ?? []) {
    const left = /^(?:digest|rootfs|snapshots|unprivileged|parent|template|lock|mp\d+|unused\d+)$/.test(key) ||
      isRawKey("lxc", key) || current.values.has(key) || (key === "features" && !unprivileged && wasUnprivileged)
    if (!left) current.values.set(key, value)
  }
  current.description ??= archived?.file.current.description
  if (unprivileged) current.values.set("unprivileged", "1")
  const defaults = { arch: "amd64", hostname: `CT${job.vmid}`, memory: "512", swap: "512" }
  for (const [key, value] of Object.entries(defaults)) if (!current.values.has(key)) current.values.set(key, value)
}

/** The address of every archived card is made anew, and a card of the request is thrown away (platform-facts 11, item 2). */
const renewCards = (machine: Machine, archived: Guest, { values }: GuestSection): Effect.Effect<void> =>
  Effect.forEach(
    Array.from(archived.file.current.values).filter(([key]) => /^net\d+$/.test(key)),
    ([key, text]) =>
      Effect.map(withFreshHwaddr(machine, text), (fresh) => {
        values.set(key, fresh)
      }),
    { discard: true }
  )

/** Unpacks; says what of the guest's data is really on the disk afterwards. */
const unpack = (machine: Machine, worker: Worker, job: Provision, archive: Archive, root: Planned | undefined) =>
  Effect.gen(function*() {
    const folder = job.source.slice(0, job.source.indexOf(":"))
    const broken = () => fail(`command '${unpackCommand(job.vmid, job.source)}' failed: exit code 2`)
    yield* worker.log(`extracting archive '${volumePath(machine, job.source, job.restore ? "backup" : "vztmpl")}'`)
    yield* worker.take(200 + archive.bytes / 200e6 * 1000)
    if (archive.truncated) {
      yield* worker.log("/*stdin*\\ : Read error (39) : premature end ")
      yield* worker.log("tar: Unexpected EOF in archive")
      yield* worker.log("tar: Unexpected EOF in archive")
      yield* worker.log("tar: Error is not recoverable: exiting now")
      return yield* broken()
    }
    const storage = machine.storages.get(root?.storage ?? folder)
    // A directory's images are sparse: tar ends well, and the write errors come when nobody looks (platform-facts 11, item 6).
    const full = storage !== undefined && storage.avail < archive.bytes
    // A subvolume of size 0 is a plain folder without a limit (platform-facts 5.15).
    if ((root !== undefined && root.bytes > 0 && root.bytes < archive.bytes) || (full && typeOf(storage) !== "dir")) {
      yield* worker.log("tar: ./root/blob: Cannot write: No space left on device")
      return yield* broken()
    }
    yield* worker.log(tarTotals("read", archive.bytes))
    return full
  })

const template: Archive = { config: undefined, bytes: 2_191_360, truncated: false }

const prepare = (machine: Machine, worker: Worker, job: Provision, old: Guest | undefined) =>
  Effect.gen(function*() {
    if (!job.restore) {
      return {
        archive: template,
        archived: undefined,
        planned: yield* plan(job, undefined),
        unprivileged: job.unprivileged ?? true
      }
    }
    yield* worker.log(`recovering backed-up configuration from '${job.source}'`)
    yield* worker.take("50 millis")
    const archive = yield* archiveOf(machine, worker, job)
    const archived = makeGuest({ vmid: job.vmid, type: "lxc", configFile: archive.config ?? "", speed: machine.speed })
    const unprivileged = yield* permitted(machine, job, archived, old)
    return { archive, archived, planned: yield* plan(job, archived), unprivileged }
  })

const warnOfRawLines = (worker: Worker, archived: Guest | undefined) =>
  Effect.gen(function*() {
    const raw = Array.from(archived?.file.current.values ?? []).filter(([key]) => isRawKey("lxc", key))
    if (raw.length === 0) return
    yield* worker.warn("skipping custom lxc options, restore manually as root:")
    yield* worker.log("--------------------------------")
    for (const [key, value] of raw) yield* worker.log(`${key}: ${value}`)
    yield* worker.log("--------------------------------")
  })

/** Who overwrites a guest by its right to back it up gets nothing of an archived firewall (platform-facts 1.2.1). */
const mayAllocate = (machine: Machine, { identity, vmid }: Provision): boolean =>
  identity.id === "root@pam" || missing(machine, identity, `/vms/${vmid}`, ["VM.Allocate"]) === undefined

/** A template is missed only when its volume has been made: the look at its kind before that says so and goes on. */
const templateThere = (machine: Machine, worker: Worker, { restore, source }: Provision) =>
  Effect.gen(function*() {
    const volumes = machine.content.get(source.slice(0, source.indexOf(":"))) ?? []
    if (restore || volumes.some(({ volid }) => volid === source)) return
    const missed = `volume '${source}' does not exist`
    yield* worker.log(missed)
    return yield* fail(missed)
  })

/** From here on the old guest is lost, whatever happens (platform-facts 5.7). */
const replace = (
  machine: Machine,
  worker: Worker,
  job: Provision,
  guest: Guest,
  old: Guest | undefined,
  prepared: Effect.Effect.Success<ReturnType<typeof prepare>>
) =>
  Effect.gen(function*() {
    const { archive, archived, planned, unprivileged } = prepared
    const current: GuestSection = { ...emptySection(), description: job.description }
    for (const [key, value] of job.given) if (!isVolumeKey(key)) current.values.set(key, value)
    const made: Array<string> = []
    const lose = Effect.sync(() => {
      dropVolumes(machine, made)
      machine.guests.delete(job.vmid)
    })
    yield* Effect.gen(function*() {
      for (const one of planned) {
        const next = freeVolumeName(machine, job.vmid, one.storage, one.bytes)
        const full = poolTrouble(machine, one.storage, next.slice(next.indexOf(":") + 1))
        if (full !== undefined) return yield* fail(full)
        const volid = allocateVolume(machine, job.vmid, one.storage, one.bytes, yield* nowSeconds)
        made.push(volid)
        yield* format(machine, worker, volid, one)
        current.values.set(one.key, mountOf(volid, one.options, one.bytes))
      }
      if (old !== undefined) dropVolumes(machine, ownVolumes(old).filter((volid) => !made.includes(volid)))
      machine.guests.set(job.vmid, guest)
      yield* templateThere(machine, worker, job)
      if (job.restore) yield* worker.log(`restoring '${job.source}' now..`)
      const root = planned.find(({ key }) => key === "rootfs")
      const hollow = yield* unpack(machine, worker, job, archive, root)
      if (hollow) { for (const volid of made) guest.hollow.add(volid) }
      guest.bytes = archive.bytes
      if (job.restore) {
        yield* worker.log("merging backed-up and given configuration..")
        yield* warnOfRawLines(worker, archived)
      } else {
        yield* worker.log("Falling back to amd64.")
        yield* worker.log("Use `pct set VMID --arch ARCH` to change.")
      }
      merge(job, archived, current, unprivileged)
      if (job.unique && archived !== undefined) yield* renewCards(machine, archived, current)
      guest.file.current = current
      if (archived !== undefined && isTemplate(archived)) {
        yield* worker.log("Convert restored container to template...")
        yield* convertToTemplate(machine, guest)
      }
      if (archive.firewall !== undefined && mayAllocate(machine, job)) machine.firewalls.set(job.vmid, archive.firewall)
    }).pipe(Effect.tapError(() => lose))
  })

/** A number that is taken for a guest to come, and what had it. */
export interface Reserved {
  readonly guest: Guest
  readonly old: Guest | undefined
}

/**
 * Takes the number before the work begins: until its end nothing but the lock stands in a new guest's file, and an old one gets
 * the lock.
 */
export const reserve = (machine: Machine, vmid: number): Reserved => {
  const old = machine.guests.get(vmid)
  const fresh = makeGuest({ vmid, type: "lxc", configFile: "lock: create\n", speed: machine.speed })
  if (old !== undefined) {
    old.file.current.values.set("lock", "create")
    return { guest: { ...fresh, fileLock: old.fileLock }, old }
  }
  machine.guests.set(vmid, fresh)
  return { guest: fresh, old }
}

/** As it was before: the number is free again, or its guest has no lock. */
export const giveBack = (machine: Machine, { guest, old }: Reserved): Effect.Effect<void> =>
  Effect.sync(() => {
    if (old === undefined) machine.guests.delete(guest.vmid)
    else old.file.current.values.delete("lock")
  })

/**
 * The work of creating or restoring a container. What fails before the first volume is made leaves an old guest as it was;
 * what fails later loses it.
 */
export const provision = (
  machine: Machine,
  worker: Worker,
  job: Provision,
  reserved: Reserved
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const { guest, old } = reserved
    yield* guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
      const prepared = yield* prepare(machine, worker, job, old).pipe(
        Effect.tapError(() => giveBack(machine, reserved))
      )
      setRunning(guest, false, yield* Clock.currentTimeMillis, 0)
      yield* replace(machine, worker, job, guest, old, prepared)
    }))
    if (job.start) yield* start(machine, worker, guest)
  }).pipe(
    Effect.mapError((failure) =>
      new TaskFailure({
        message: `unable to ${job.restore ? "restore" : "create"} CT ${job.vmid} - ${failure.message}`
      })
    )
  )
