import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"
import { Effect } from "effect"
import { cloudInitBytes, formatOf, isCdrom, isCloudInit } from "./DriveText.ts"
import { bytesOf, type Guest } from "./Guest.ts"
import { emptySection, type GuestSection } from "./GuestFile.ts"
import { sourceOf } from "./LxcPermissions.ts"
import { type Machine, randomUuid } from "./Machine.ts"
import { reserveMachine } from "./MachineRestoreWork.ts"
import { isDrive } from "./QemuSchema.ts"
import { allocateDisk, driveOn, printedCard, withFreshUuid } from "./QemuValues.ts"
import { unusable } from "./StorageState.ts"
import type { TaskFailure, Worker } from "./TaskTable.ts"
import { poolTrouble } from "./ThinPools.ts"
import { hasFeature } from "./VolumeFeature.ts"
import { fail } from "./WorkerChecks.ts"

/** A clone of a virtual machine, as the request asks for it. */
export interface MachineClone {
  readonly newid: number
  readonly snapname: string | undefined
  /** All disks are copied; otherwise they stand upon those of the source. */
  readonly full: boolean
  readonly storage: string | undefined
  readonly format: string | undefined
  readonly name: string | undefined
  readonly description: string | undefined
}

/** What is cloned: the machine as it is, or as a snapshot has it. */
export const sectionOf = (source: Guest, snapname: string | undefined): GuestSection =>
  (snapname === undefined ? undefined : source.file.snapshots.get(snapname)) ?? source.file.current

interface ClonedDisk {
  readonly key: string
  readonly text: string
  readonly volid: string
  readonly full: boolean
}

/** The disks that a clone gets, or why it can't have one of them, in Proxmox's words. */
export const disksToClone = (
  machine: Machine,
  source: Guest,
  { full, snapname }: MachineClone
): ReadonlyArray<ClonedDisk> | string => {
  const disks: Array<ClonedDisk> = []
  for (const [key, text] of Array.from(sectionOf(source, snapname).values).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isDrive(key) || isCdrom(text)) continue
    if (full && source.running && snapname === undefined && key === "tpmstate0") {
      return "cannot clone TPM state while VM is running"
    }
    const volid = sourceOf(text)
    const copies = full || isCloudInit(text) || key === "tpmstate0"
    if (!hasFeature(machine, "qemu", copies ? "copy" : "clone", volid, snapname !== undefined)) {
      const of = snapname === undefined ? "" : " a snapshot of"
      return `${copies ? "Full" : "Linked"} clone feature is not supported for${of} '${volid}' (${key})`
    }
    disks.push({ key, text, volid, full: copies })
  }
  return disks
}

/** All that is taken over as it is, with what no two machines may have in common made anew (qemu-server, clone_vm). */
const configOf = (machine: Machine, source: Guest, job: MachineClone): Effect.Effect<GuestSection> =>
  Effect.gen(function*() {
    const from = sectionOf(source, job.snapname)
    const values = new Map<string, string>()
    for (const [key, text] of from.values) {
      if (/^(?:lock|parent|snaptime|snapstate|vmstate|template|running\w*|unused\d+)$/.test(key)) continue
      if (isDrive(key) && !isCdrom(text)) continue
      values.set(key, /^net\d+$/.test(key) ? yield* printedCard(machine, text, true) : text)
    }
    values.set("smbios1", yield* withFreshUuid(values.get("smbios1")))
    if (values.has("vmgenid")) values.set("vmgenid", yield* randomUuid)
    const called = from.values.get("name") ?? String(source.vmid)
    values.set("name", job.name ?? `Copy-of-VM-${called}`)
    return { description: job.description ?? from.description, values }
  })

const cloneDisk = (machine: Machine, worker: Worker, source: Guest, job: MachineClone, disk: ClonedDisk) =>
  Effect.gen(function*() {
    const { full, key, text, volid } = disk
    yield* worker.log(`create ${full ? "full" : "linked"} clone of drive ${key} (${volid})`)
    const own = volid.slice(0, Math.max(0, volid.indexOf(":")))
    const storage = full ? job.storage ?? own : own
    const trouble = unusable(machine.storages, storage) ?? poolTrouble(machine, storage, `vm-${job.newid}-disk-0`)
    if (trouble !== undefined) return yield* fail(trouble)
    const cloudInit = isCloudInit(text)
    const bytes = cloudInit ? cloudInitBytes : bytesOf(propertyOf(parsePropertyString(text), "size"))
    const made = yield* allocateDisk(machine, job.newid, {
      storage,
      bytes,
      cloudInit,
      // What stands on a file is a qcow2 that names it; a copy has the format of its source.
      format: full ? job.format ?? formatOf(volid) : "qcow2",
      ...(full ? {} : { base: volid })
    })
    yield* worker.take(full && !cloudInit ? 200 + source.bytes / 200e6 * 1000 : 100)
    return [made, driveOn(text, made, cloudInit ? undefined : bytes)] as const
  })

/** The work of cloning a machine; what fails leaves nothing of the clone. */
export const cloneMachine = (
  machine: Machine,
  worker: Worker,
  source: Guest,
  job: MachineClone,
  disks: ReadonlyArray<ClonedDisk>
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    yield* worker.log(`creating a clone of VM ${source.vmid} with ID ${job.newid}`)
    const section = yield* configOf(machine, source, job)
    const clone = reserveMachine(machine, job.newid, "clone")
    clone.file.current = { ...emptySection(), values: new Map([["lock", "clone"]]) }
    const firewall = machine.firewalls.get(source.vmid)
    if (firewall !== undefined) machine.firewalls.set(job.newid, firewall)
    const made = new Set<string>()
    yield* clone.fileLock.hold(fail, worker)(Effect.gen(function*() {
      for (const disk of disks) {
        const [volid, text] = yield* cloneDisk(machine, worker, source, job, disk)
        made.add(volid)
        section.values.set(disk.key, text)
      }
      clone.bytes = source.bytes
      clone.file.current = section
    })).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          for (const [storage, volumes] of machine.content) {
            machine.content.set(storage, volumes.filter(({ volid }) => !made.has(volid)))
          }
          machine.firewalls.delete(job.newid)
          machine.guests.delete(job.newid)
        })
      ),
      Effect.mapError(({ message }) => fail(`clone failed: ${message}`))
    )
  })
