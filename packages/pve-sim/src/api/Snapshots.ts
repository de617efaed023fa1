import { Effect } from "effect"
import { died } from "../ApiFailure.ts"
import { isSet, required, textOf, vmidOf } from "../CallParameters.ts"
import { all, anyOf, anyone, type Endpoint, type Json } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { digestOf, sectionAsApi, shownDescription } from "../Guest.ts"
import { guestOf } from "../Machine.ts"
import { createSnapshot, deleteSnapshot, rollback } from "../SnapshotWork.ts"

type GuestType = "lxc" | "qemu"

const inPath = { node: Formats.node, vmid: Formats.vmid }
const snapshotPath = { ...inPath, snapname: Formats.snapname }
const prefix = { lxc: "vz", qemu: "qm" } as const
const mayRead = anyOf("/vms/{vmid}", "VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit")

const list = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/snapshot`,
  permission: all("/vms/{vmid}", "VM.Audit"),
  protected: true,
  parameters: inPath,
  handle: (call) =>
    Effect.gen(function*() {
      const guest = yield* guestOf(call.machine, type, vmidOf(call))
      const rows: Array<Json> = Array.from(guest.file.snapshots, ([name, section]) => ({
        name,
        description: shownDescription(type, section) ?? "",
        snaptime: Number(section.values.get("snaptime") ?? "0"),
        snapstate: section.values.get("snapstate"),
        parent: section.values.get("parent"),
        ...(type === "qemu" ? { vmstate: section.values.has("vmstate") ? 1 : 0 } : {})
      }))
      rows.push({
        name: "current",
        description: "You are here!",
        digest: digestOf(guest),
        running: guest.running ? 1 : 0,
        parent: guest.file.current.values.get("parent")
      })
      return { data: rows }
    })
})

const create = (type: GuestType): Endpoint => ({
  method: "POST",
  path: `/nodes/{node}/${type}/{vmid}/snapshot`,
  permission: all("/vms/{vmid}", "VM.Snapshot"),
  protected: true,
  parameters: {
    ...snapshotPath,
    description: Formats.text(),
    ...(type === "qemu" ? { vmstate: Formats.flag } : {})
  },
  handle: (call) =>
    Effect.gen(function*() {
      const name = required(call, "snapname")
      const reserved = type === "lxc" ? ["current", "vzdump"] : ["current", "pending"]
      if (reserved.includes(name)) return yield* died(`unable to use snapshot name '${name}' (reserved name)`)
      const description = textOf(call, "description")
      const data = yield* call.machine.tasks.start({
        type: `${prefix[type]}snapshot`,
        id: String(vmidOf(call)),
        user: call.identity.id,
        work: (worker) =>
          createSnapshot(call.machine, worker, {
            type,
            vmid: vmidOf(call),
            name,
            description,
            vmstate: isSet(call, "vmstate")
          })
      })
      return { data }
    })
})

const remove = (type: GuestType): Endpoint => ({
  method: "DELETE",
  path: `/nodes/{node}/${type}/{vmid}/snapshot/{snapname}`,
  permission: all("/vms/{vmid}", "VM.Snapshot"),
  protected: true,
  parameters: { ...snapshotPath, force: Formats.flag },
  handle: (call) =>
    Effect.map(
      call.machine.tasks.start({
        type: `${prefix[type]}delsnapshot`,
        id: String(vmidOf(call)),
        user: call.identity.id,
        work: (worker) =>
          deleteSnapshot(call.machine, worker, { type, vmid: vmidOf(call), name: required(call, "snapname") })
      }),
      (data) => ({ data })
    )
})

const roll = (type: GuestType): Endpoint => ({
  method: "POST",
  path: `/nodes/{node}/${type}/{vmid}/snapshot/{snapname}/rollback`,
  permission: anyOf("/vms/{vmid}", "VM.Snapshot", "VM.Snapshot.Rollback"),
  protected: true,
  parameters: { ...snapshotPath, start: Formats.flag },
  handle: (call) =>
    Effect.map(
      call.machine.tasks.start({
        type: `${prefix[type]}rollback`,
        id: String(vmidOf(call)),
        user: call.identity.id,
        work: (worker) =>
          rollback(call.machine, worker, {
            type,
            vmid: vmidOf(call),
            name: required(call, "snapname"),
            start: isSet(call, "start"),
            user: call.identity.id
          })
      }),
      (data) => ({ data })
    )
})

const index = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/snapshot/{snapname}`,
  permission: anyone,
  protected: false,
  parameters: snapshotPath,
  handle: () => Effect.succeed({ data: [{ cmd: "rollback" }, { cmd: "config" }] })
})

const readConfig = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/snapshot/{snapname}/config`,
  permission: mayRead,
  protected: false,
  parameters: snapshotPath,
  handle: (call) =>
    Effect.gen(function*() {
      const guest = yield* guestOf(call.machine, type, vmidOf(call))
      const section = guest.file.snapshots.get(required(call, "snapname"))
      if (section === undefined) return yield* died(`snapshot '${required(call, "snapname")}' does not exist`)
      return { data: sectionAsApi(type, section) }
    })
})

const writeConfig = (type: GuestType): Endpoint => ({
  method: "PUT",
  path: `/nodes/{node}/${type}/{vmid}/snapshot/{snapname}/config`,
  permission: all("/vms/{vmid}", "VM.Snapshot"),
  protected: true,
  parameters: { ...snapshotPath, description: Formats.text() },
  handle: (call) =>
    Effect.gen(function*() {
      // A description that is empty counts as none, and changes nothing.
      if (textOf(call, "description") === undefined) return { data: null }
      const guest = yield* guestOf(call.machine, type, vmidOf(call))
      return yield* guest.fileLock.hold(died)(Effect.gen(function*() {
        const lock = guest.file.current.values.get("lock")
        if (lock !== undefined) return yield* died(`${type === "lxc" ? "CT" : "VM"} is locked (${lock})`)
        const section = guest.file.snapshots.get(required(call, "snapname"))
        if (section === undefined) return yield* died(`snapshot '${required(call, "snapname")}' does not exist`)
        section.description = textOf(call, "description")
        return { data: null }
      }))
    })
})

/** Snapshots of containers and virtual machines (platform-facts 5.11). */
export const endpoints: ReadonlyArray<Endpoint> = (["lxc", "qemu"] as const).flatMap((type) => [
  list(type),
  create(type),
  remove(type),
  roll(type),
  index(type),
  readConfig(type),
  writeConfig(type)
])
