import { Effect } from "effect"
import { ApiFailure, badParameters, died, forbidden } from "../ApiFailure.ts"
import { isSet, required, textOf, vmidOf } from "../CallParameters.ts"
import { cloneMachine, disksToClone, sectionOf } from "../CloneWork.ts"
import { all, type Call, either, type Endpoint, missing, type Permission } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Guest, isTemplate, lockOf } from "../Guest.ts"
import { bridgeRefusal, sourceOf } from "../LxcPermissions.ts"
import { guestOf } from "../Machine.ts"
import { isDrive } from "../QemuSchema.ts"
import { holds, notEnabled } from "../StorageState.ts"
import { convertToTemplate } from "../TemplateWork.ts"
import * as Values from "../ValueFormats.ts"
import { checkLock, fail } from "../WorkerChecks.ts"

const inPath = { node: Formats.node, vmid: Formats.vmid }

const notHere = (what: string) => new ApiFailure({ status: 501, message: `pve-sim does not simulate ${what}` })

const unlocked = (guest: Guest) => {
  const lock = lockOf(guest)
  return lock === undefined ? Effect.void : Effect.fail(died(`VM is locked (${lock})`))
}

/** VM.Clone on the source, and the right to make the new machine (platform-facts 1.2). */
const mayClone: Permission = {
  kind: "both",
  of: [all("/vms/{vmid}", "VM.Clone"), either(all("/vms/{newid}", "VM.Allocate"), all("/pool/{pool}", "VM.Allocate"))]
}

/** The new machine's storages and bridges, in the order of qemu-server's clone_vm. */
const mayTake = (call: Call, source: Guest, snapname: string | undefined, storage: string | undefined) =>
  Effect.gen(function*() {
    const { identity, machine } = call
    const { values } = sectionOf(source, snapname)
    for (const [key, text] of values) {
      const volid = isDrive(key) && !/(?:^|,)media=cdrom/.test(text) ? sourceOf(text) : undefined
      const own = storage ?? volid?.slice(0, Math.max(0, volid.indexOf(":")))
      const refused = volid === undefined
        ? undefined
        : missing(machine, identity, `/storage/${own}`, ["Datastore.AllocateSpace"])
      if (refused !== undefined) return yield* refused
    }
    for (const [key, text] of values) {
      if (/^(?:usb|hostpci)\d+$/.test(key) && !/^(?:host=)?spice\b/i.test(text)) {
        return yield* notHere("cloning a virtual machine with a passed device")
      }
      const refused = /^net\d+$/.test(key) ? bridgeRefusal(machine, identity, text) : undefined
      if (refused !== undefined) return yield* refused
    }
  })

const clone: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/qemu/{vmid}/clone",
  permission: mayClone,
  protected: true,
  parameters: {
    ...inPath,
    newid: Formats.vmid,
    name: { type: "string", optional: true, format: Values.dnsName },
    description: Formats.text(),
    pool: Values.of(Values.poolName),
    snapname: Formats.optional(Formats.snapname),
    storage: Formats.optional(Formats.storage),
    format: Formats.choice("raw", "qcow2", "vmdk"),
    full: Formats.flag,
    target: Formats.optional(Formats.node),
    bwlimit: Formats.integer(0)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const newid = Number(required(call, "newid"))
      const [pool, storage, snapname, target] = ["pool", "storage", "snapname", "target"].map((name) =>
        textOf(call, name)
      )
      if (target !== undefined && target !== machine.node && target !== "localhost") {
        return yield* notHere("cloning to another node")
      }
      if (pool !== undefined && !machine.access.pools.has(pool)) {
        return yield* forbidden(`pool '${pool}' does not exist`)
      }
      if (storage !== undefined) {
        const trouble = notEnabled(machine.storages, storage)
        if (trouble !== undefined) return yield* died(trouble)
        const state = machine.storages.get(storage)
        if (state === undefined || !holds(state, "images")) {
          return yield* badParameters({ storage: `storage '${storage}' does not support vm images` })
        }
      }
      const source = yield* guestOf(machine, "qemu", vmidOf(call))
      yield* unlocked(source)
      if (snapname !== undefined && !source.file.snapshots.has(snapname)) {
        return yield* died(`snapshot '${snapname}' does not exist`)
      }
      const full = textOf(call, "full") === undefined ? !isTemplate(source) : isSet(call, "full")
      for (const name of ["storage", "format"]) {
        if (!full && textOf(call, name) !== undefined) {
          return yield* died(`parameter '${name}' not allowed for linked clones`)
        }
      }
      yield* mayTake(call, source, snapname, storage)
      const taken = [machine, ...machine.peers.map((peer) => peer.machine)].find(({ guests }) => guests.has(newid))
      if (taken !== undefined) {
        // Only a machine's file of this node is looked for; what is else in the way the worker runs into.
        return yield* taken === machine && taken.guests.get(newid)?.type === "qemu"
          ? died(`unable to create VM ${newid}: config file already exists`)
          : notHere("cloning to the number of a container, or of another node's guest")
      }
      const job = {
        newid,
        snapname,
        full,
        storage,
        format: textOf(call, "format"),
        name: textOf(call, "name"),
        description: textOf(call, "description")
      }
      const disks = disksToClone(machine, source, job)
      if (typeof disks === "string") return yield* died(disks)
      const data = yield* machine.tasks.start({
        type: "qmclone",
        id: String(source.vmid),
        user: identity.id,
        work: (worker) =>
          Effect.gen(function*() {
            yield* checkLock(source)
            if (machine.guests.has(newid)) {
              return yield* fail(`unable to create VM ${newid}: config file already exists`)
            }
            yield* cloneMachine(machine, worker, source, job, disks)
            if (pool !== undefined) machine.access.joinPool(pool, newid)
          })
      })
      return { data }
    })
}

const template: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/qemu/{vmid}/template",
  permission: all("/vms/{vmid}", "VM.Allocate"),
  protected: true,
  parameters: { ...inPath, disk: Formats.text() },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      if (textOf(call, "disk") !== undefined) return yield* notHere("making a single disk a base image")
      const guest = yield* guestOf(machine, "qemu", vmidOf(call))
      yield* unlocked(guest)
      if (guest.file.snapshots.size > 0) {
        return yield* died("unable to create template, because VM contains snapshots")
      }
      if (isTemplate(guest)) return yield* died("you can't convert a template to a template")
      if (guest.running) return yield* died("you can't convert a VM to template if VM is running")
      const data = yield* machine.tasks.start({
        type: "qmtemplate",
        id: String(guest.vmid),
        user: identity.id,
        work: (worker) =>
          guest.fileLock.hold(fail, worker)(Effect.gen(function*() {
            yield* checkLock(guest)
            yield* worker.take("100 millis")
            yield* convertToTemplate(machine, guest)
          }))
      })
      return { data }
    })
}

/** Clones and templates of virtual machines (platform-facts 1.3; what they leave open, after qemu-server's sources). */
export const endpoints: ReadonlyArray<Endpoint> = [clone, template]
