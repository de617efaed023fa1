import { Effect } from "effect"
import { isCdrom } from "./DriveText.ts"
import type { Guest } from "./Guest.ts"
import { type Machine, nowSeconds, randomUuid } from "./Machine.ts"
import { start } from "./PowerWork.ts"
import { isDrive } from "./QemuSchema.ts"
import { storedValue, withFreshUuid } from "./QemuValues.ts"
import { unusable } from "./StorageState.ts"
import type { TaskFailure, Worker } from "./TaskTable.ts"
import { poolTrouble } from "./ThinPools.ts"
import { fail } from "./WorkerChecks.ts"

/** A new virtual machine, as the request asks for it. */
export interface MachineCreation {
  readonly vmid: number
  readonly given: ReadonlyMap<string, string>
  readonly description: string | undefined
  readonly start: boolean
}

// In this order Proxmox looks for what a machine boots from.
const buses = ["ide", "scsi", "virtio", "sata"]

const drivesIn = (values: ReadonlyMap<string, string>): ReadonlyArray<readonly [string, string]> =>
  buses.flatMap((bus) =>
    Array.from({ length: 31 }, (_, at) => `${bus}${at}`).flatMap((key): ReadonlyArray<readonly [string, string]> => {
      const text = values.get(key)
      return text === undefined ? [] : [[key, text]]
    })
  )

/** The first disk, the first drive for what is no disk, the first card (qemu-server, get_default_bootdevices). */
const bootOrder = (values: ReadonlyMap<string, string>): string => {
  const drives = drivesIn(values)
  const found = [
    drives.find(([, text]) => !isCdrom(text))?.[0],
    drives.find(([, text]) => isCdrom(text))?.[0],
    Array.from({ length: 32 }, (_, at) => `net${at}`).find((key) => values.has(key))
  ].filter((key) => key !== undefined)
  return found.length === 0 ? "" : `order=${found.join(";")}`
}

const disksMade = (machine: Machine, worker: Worker, guest: Guest, job: MachineCreation, made: Set<string>) =>
  Effect.gen(function*() {
    const values = new Map<string, string>()
    for (const [key, text] of job.given) {
      const storage = isDrive(key) ? /^([^:,]+):\d+(?:\.\d+)?(?:,|$)/.exec(text)?.[1] : undefined
      const trouble = storage === undefined
        ? undefined
        : unusable(machine.storages, storage) ?? poolTrouble(machine, storage, `vm-${job.vmid}-disk-0`)
      if (trouble !== undefined) return yield* fail(trouble)
      const written = yield* storedValue(machine, guest, key, text)
      values.set(key, written)
      if (storage === undefined) continue
      made.add(written.split(",")[0] ?? "")
      yield* worker.log(`${key}: successfully created disk '${written}'`)
    }
    return values
  })

/** The work of creating a machine; what fails leaves nothing (qemu-server, create_vm). */
export const createMachine = (
  machine: Machine,
  worker: Worker,
  job: MachineCreation,
  guest: Guest
): Effect.Effect<void, TaskFailure> =>
  Effect.gen(function*() {
    const made = new Set<string>()
    const undo = Effect.sync(() => {
      for (const [storage, volumes] of machine.content) {
        machine.content.set(storage, volumes.filter(({ volid }) => !made.has(volid)))
      }
      machine.guests.delete(job.vmid)
    })
    yield* guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
      yield* worker.take("200 millis")
      const values = yield* disksMade(machine, worker, guest, job, made)
      // The version is that of the recorded host's machine.
      values.set("meta", `creation-qemu=10.1.2,ctime=${yield* nowSeconds}`)
      const boot = bootOrder(values)
      if (!values.has("boot")) values.set("boot", boot)
      if (!values.has("smbios1")) values.set("smbios1", yield* withFreshUuid(undefined))
      if ((values.get("vmgenid") ?? "1") === "1") values.set("vmgenid", yield* randomUuid)
      guest.file.current = { description: job.description, values }
    })).pipe(
      Effect.mapError(({ message }) => fail(`unable to create VM ${job.vmid} - ${message}`)),
      Effect.tapError(() => undo)
    )
    if (!job.start) return
    yield* worker.log("Execute autostart")
    yield* Effect.catchAll(start(machine, worker, guest), ({ message }) => worker.log(message))
  })
