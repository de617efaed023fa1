import { Effect } from "effect"
import { type ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { textOf, vmidOf } from "../CallParameters.ts"
import { type ConfigRequest, configRequest } from "../ConfigRequest.ts"
import { anyOf, type Call, type Endpoint } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { digestOf, type Guest, lockOf } from "../Guest.ts"
import { guestOf, type Machine } from "../Machine.ts"
import type { Schema } from "../ParameterSchema.ts"
import { changeRefusal } from "../QemuPermissions.ts"
import { qemuConfigSchema } from "../QemuSchema.ts"
import { storedValue } from "../QemuValues.ts"
import { TaskFailure } from "../TaskTable.ts"

const live = new Set(["name", "onboot", "startup", "description", "protection", "tags", "lock"])

const apply = (machine: Machine, guest: Guest, request: ConfigRequest): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { current, pending } = guest.file
    for (const key of request.revert) pending.delete(key)
    for (const key of request.remove) {
      pending.delete(key)
      if (key === "description") current.description = undefined
      else if (guest.running && !live.has(key) && current.values.has(key)) {
        const deletes = (pending.get("delete") ?? "").split(",").filter((one) => one !== "" && one !== key)
        pending.set("delete", [...deletes, key].join(","))
      } else current.values.delete(key)
    }
    for (const [key, value] of request.set) {
      pending.delete(key)
      if (key === "description") current.description = value
      else if (value !== undefined) {
        const text = yield* storedValue(machine, guest, key, value)
        if (guest.running && !live.has(key)) pending.set(key, text)
        else current.values.set(key, text)
      }
    }
  })

const balloonTrouble = (guest: Guest, { set }: ConfigRequest): ApiFailure | undefined => {
  if (set.get("memory") === undefined && set.get("balloon") === undefined) return undefined
  const { current, pending } = guest.file
  const known = (key: string): number => Number(set.get(key) ?? pending.get(key) ?? current.values.get(key) ?? "0")
  return known("balloon") > (known("memory") || 512)
    ? died("balloon value too large (must be smaller than assigned memory)")
    : undefined
}

/** The machine as it must be: there, as the caller knows it, and free. */
const checked = (call: Call, request: ConfigRequest) =>
  Effect.gen(function*() {
    const guest = yield* guestOf(call.machine, "qemu", vmidOf(call))
    if (request.digest !== undefined && request.digest !== digestOf(guest)) {
      return yield* died("checksum mismatch (file change by other user?)")
    }
    const lock = lockOf(guest)
    if (lock !== undefined) return yield* died(`VM is locked (${lock})`)
    const trouble = balloonTrouble(guest, request)
    return trouble === undefined ? guest : yield* trouble
  })

/** Everything that is refused before the machine is looked at. */
const accept = (call: Call) =>
  Effect.gen(function*() {
    if (textOf(call, "skiplock") === "1") {
      return yield* badParameters({ skiplock: "Only root may use this option." })
    }
    const request = yield* configRequest(call, qemuConfigSchema)
    const set = Array.from(request.set).flatMap(([key, value]) => value === undefined ? [] : [[key, value] as const])
    const refused = changeRefusal(call, set, [...request.remove, ...request.set.keys()])
    if (refused !== undefined) return yield* refused
    return request
  })

const endpoint = (method: "PUT" | "POST", parameters: Schema, handle: Endpoint["handle"]): Endpoint => ({
  method,
  path: "/nodes/{node}/qemu/{vmid}/config",
  permission: anyOf(
    "/vms/{vmid}",
    ...["Disk", "CDROM", "CPU", "Memory", "Network", "HWType", "Options", "Cloudinit"].map((name) =>
      `VM.Config.${name}`
    )
  ),
  protected: true,
  parameters: {
    node: Formats.node,
    vmid: Formats.vmid,
    digest: Formats.text(40),
    delete: { type: "string", optional: true, format: Formats.configIdList },
    revert: { type: "string", optional: true, format: Formats.configIdList },
    skiplock: Formats.flag,
    force: { type: "boolean", optional: true, requires: "delete" },
    ...parameters,
    ...qemuConfigSchema
  },
  handle
})

const put = endpoint("PUT", {}, (call) =>
  Effect.gen(function*() {
    const request = yield* accept(call)
    const guest = yield* guestOf(call.machine, "qemu", vmidOf(call))
    yield* guest.fileLock.hold(died)(Effect.zipRight(
      checked(call, request),
      apply(call.machine, guest, request)
    ))
    return { data: null }
  }))

// The worker's first line is the command line that would do the same.
const commandLine = (guest: Guest, request: ConfigRequest): string => {
  const options = [
    ...Array.from(request.set, ([key, value]) => `-${key} ${value ?? ""}`),
    ...(request.remove.length === 0 ? [] : [`-delete ${request.remove.join(",")}`]),
    ...(request.revert.length === 0 ? [] : [`-revert ${request.revert.join(",")}`]),
    ...(request.digest === undefined ? [] : [`-digest ${request.digest}`])
  ]
  return `update VM ${guest.vmid}: ${options.join(" ")}`
}

const post = endpoint("POST", {
  background_delay: Formats.integer(1, 30),
  "import-working-storage": Formats.optional(Formats.storage)
}, (call) =>
  Effect.gen(function*() {
    const request = yield* accept(call)
    const guest = yield* checked(call, request)
    const upid = yield* call.machine.tasks.start({
      type: "qmconfig",
      id: String(guest.vmid),
      user: call.identity.id,
      work: (worker) =>
        guest.fileLock.hold((message) => new TaskFailure({ message }), worker)(Effect.gen(function*() {
          yield* worker.log(commandLine(guest, request))
          yield* checked(call, request).pipe(
            Effect.mapError((failure) => new TaskFailure({ message: failure.message }))
          )
          yield* worker.take("50 millis")
          yield* apply(call.machine, guest, request)
        }))
    })
    const task = call.machine.tasks.find(upid)
    const delay = textOf(call, "background_delay")
    if (delay === undefined || task === undefined) return { data: upid }
    return { data: (yield* call.machine.tasks.endsWithin(task, Number(delay))) ? null : upid }
  }))

/** Changing a virtual machine's configuration: PUT at once, POST by a task (platform-facts 1.3). */
export const endpoints: ReadonlyArray<Endpoint> = [put, post]
