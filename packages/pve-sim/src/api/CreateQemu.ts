import { Effect } from "effect"
import { ApiFailure, badParameters, died, forbidden } from "../ApiFailure.ts"
import { isSet, textOf, vmidOf } from "../CallParameters.ts"
import { isCdrom, isCloudInit } from "../DriveText.ts"
import { anyone, type Call, type Endpoint, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { lockOf } from "../Guest.ts"
import { sourceOf } from "../LxcPermissions.ts"
import { newVolume } from "../LxcValues.ts"
import { createMachine } from "../MachineCreationWork.ts"
import { giveUpMachine, reserveMachine, restoreMachine } from "../MachineRestoreWork.ts"
import { creationRefusal } from "../QemuPermissions.ts"
import { isDrive, qemuConfigSchema } from "../QemuSchema.ts"
import { storedValue } from "../QemuValues.ts"
import { holds, typeOf, unusable } from "../StorageState.ts"
import * as Values from "../ValueFormats.ts"
import { volumeRefusal } from "../VolumeAccess.ts"

// Of the request, and not of the machine's configuration (platform-facts 1.3).
const own = new Set([
  "node",
  "vmid",
  "archive",
  "storage",
  "force",
  "unique",
  "live-restore",
  "pool",
  "bwlimit",
  "start",
  "ha-managed",
  "import-working-storage",
  "description"
])

/** That the source of Proxmox has it, and that this host does not do it. */
const notHere = (what: string) => new ApiFailure({ status: 501, message: `pve-sim does not simulate ${what}` })

type Given = ReadonlyArray<readonly [key: string, value: string]>

const givenOf = (call: Call): Given =>
  Array.from(call.parameters).flatMap(([key, value]) => own.has(key) || value === undefined ? [] : [[key, value]])

/** Everything that is asked of the caller before the archive is looked at, in the order of qemu-server's create_vm. */
const mayMake = (call: Call) =>
  Effect.gen(function*() {
    const { identity, machine } = call
    const vmid = vmidOf(call)
    const [pool, storage] = [textOf(call, "pool"), textOf(call, "storage")]
    if (pool !== undefined && !machine.access.pools.has(pool)) return yield* forbidden(`pool '${pool}' does not exist`)
    const refused = storage === undefined
      ? undefined
      : missing(machine, identity, `/storage/${storage}`, ["Datastore.AllocateSpace"])
    if (refused !== undefined) return yield* refused
    const console = isSet(call, "ha-managed") ? missing(machine, identity, "/", ["Sys.Console"]) : undefined
    if (console !== undefined) return yield* console
    const inPool = (privilege: string): boolean => pool !== undefined && may(call, `/pool/${pool}`, privilege)
    if (isSet(call, "start") && !inPool("VM.PowerMgmt")) {
      const powerless = missing(machine, identity, `/vms/${vmid}`, ["VM.PowerMgmt"])
      if (powerless !== undefined) return yield* powerless
    }
    const overwrites = textOf(call, "archive") !== undefined && isSet(call, "force") &&
      machine.guests.get(vmid)?.type === "qemu" && may(call, `/vms/${vmid}`, "VM.Backup")
    if (!may(call, `/vms/${vmid}`, "VM.Allocate") && !inPool("VM.Allocate") && !overwrites) return yield* forbidden()
  })

/** The archive as it has to be there before the task begins; a container's task finds that out itself. */
const archiveReadable = (call: Call, archive: string, given: Given) =>
  Effect.gen(function*() {
    const { content, storages } = call.machine
    const drive = given.map(([key]) => key).filter(isDrive).toSorted()[0]
    if (drive !== undefined) return yield* badParameters({ [drive]: "option conflicts with option 'archive'" })
    if (archive === "-") return yield* died("pipe requires cli environment")
    const refused = volumeRefusal(call, archive, { vmid: vmidOf(call), content: "backup" })
    if (refused !== undefined) return yield* refused
    const storage = archive.slice(0, archive.indexOf(":"))
    const state = storages.get(storage)
    if (state !== undefined && typeOf(state) === "pbs") {
      return yield* notHere("restoring a virtual machine from a backup server")
    }
    const trouble = unusable(storages, storage)
    if (trouble !== undefined) return yield* died(trouble)
    if (!(content.get(storage) ?? []).some(({ volid }) => volid === archive)) {
      return yield* died(`volume '${archive}' does not exist`)
    }
  })

const drivesUsable = (call: Call, given: Given) =>
  Effect.gen(function*() {
    for (const [key, text] of given) {
      if (!isDrive(key)) continue
      if (/(?:^|,)import-from=/.test(text)) return yield* notHere("importing a disk")
      if (isCloudInit(text) || /:cloudinit(?:,|$)/.test(text)) return yield* notHere("creating a cloud-init drive")
      if (/^(?:efidisk|tpmstate)/.test(key)) return yield* notHere(`creating ${key}`)
      const made = newVolume(sourceOf(text))
      if (made === undefined) {
        if (isCdrom(text)) continue
        return yield* notHere("creating a virtual machine on a volume that is there")
      }
      const state = call.machine.storages.get(made.storage)
      if (state === undefined) return yield* died(`storage '${made.storage}' does not exist`)
      if (!holds(state, "images")) {
        return yield* badParameters({ storage: `storage '${made.storage}' does not support vm images` })
      }
    }
  })

const numberFree = (call: Call, what: string) =>
  Effect.gen(function*() {
    const vmid = vmidOf(call)
    const { machine } = call
    const taken = [machine, ...machine.peers.map((peer) => peer.machine)].find(({ guests }) => guests.has(vmid))
    const old = taken?.guests.get(vmid)
    if (taken === undefined || old === undefined) return
    if (!isSet(call, "force")) {
      return yield* died(
        `${what} - ${old.type === "qemu" ? "VM" : "CT"} ${vmid} already exists on node '${taken.node}'`
      )
    }
    if (taken !== machine || old.type !== "qemu") {
      return yield* notHere("restoring a virtual machine over another guest")
    }
    const lock = lockOf(old)
    if (lock !== undefined) return yield* died(`${what} - VM is locked (${lock})`)
  })

const post: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/qemu",
  permission: anyone,
  protected: true,
  parameters: {
    ...qemuConfigSchema,
    node: Formats.node,
    vmid: Formats.vmid,
    archive: { type: "string", optional: true, maxLength: 255 },
    storage: Formats.optional(Formats.storage),
    force: { type: "boolean", optional: true, requires: "archive" },
    unique: { type: "boolean", optional: true, requires: "archive" },
    "live-restore": Formats.flag,
    pool: Values.of(Values.poolName),
    bwlimit: Formats.integer(0),
    start: Formats.flag,
    "ha-managed": Formats.flag,
    "import-working-storage": Formats.optional(Formats.storage)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const vmid = vmidOf(call)
      const [archive, description, pool] = [textOf(call, "archive"), textOf(call, "description"), textOf(call, "pool")]
      const given = givenOf(call)
      yield* mayMake(call)
      if (archive !== undefined) yield* archiveReadable(call, archive, given)
      const refused = creationRefusal(call, [
        ...given,
        ...(description === undefined ? [] : [["description", description] as const])
      ], pool)
      if (refused !== undefined) return yield* refused
      yield* drivesUsable(call, given)
      if (isSet(call, "live-restore")) return yield* notHere("live restores and imports")
      if (isSet(call, "ha-managed")) return yield* notHere("giving a new virtual machine to the HA manager")
      yield* numberFree(call, `unable to ${archive === undefined ? "create" : "restore"} VM ${vmid}`)
      const guest = reserveMachine(machine, vmid)
      const joined = Effect.sync(() => pool === undefined ? undefined : machine.access.joinPool(pool, vmid))
      const values = new Map<string, string>()
      for (const [key, value] of given) {
        values.set(key, isDrive(key) ? value : yield* storedValue(machine, guest, key, value))
      }
      const start = isSet(call, "start")
      const task = { id: String(vmid), user: identity.id }
      if (archive === undefined) {
        const data = yield* machine.tasks.start({
          ...task,
          type: "qmcreate",
          giveBack: Effect.sync(() => machine.guests.delete(vmid)),
          work: (worker) =>
            Effect.zipLeft(createMachine(machine, worker, { vmid, given: values, description, start }, guest), joined)
        })
        return { data }
      }
      const job = {
        vmid,
        identity,
        source: archive,
        storage: textOf(call, "storage"),
        unique: isSet(call, "unique"),
        given: values,
        description,
        start
      }
      const data = yield* machine.tasks.start({
        ...task,
        type: "qmrestore",
        giveBack: giveUpMachine(guest),
        work: (worker) => Effect.zipLeft(restoreMachine(machine, worker, job, guest), joined)
      })
      return { data }
    })
}

/** Creating and restoring virtual machines (platform-facts 1.3; what they leave open, after qemu-server's sources). */
export const endpoints: ReadonlyArray<Endpoint> = [post]
