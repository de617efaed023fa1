import { Effect } from "effect"
import { type ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { textOf, vmidOf } from "../CallParameters.ts"
import { type ConfigRequest, configRequest, mayChange } from "../ConfigRequest.ts"
import { anyOf, type Call, type Endpoint, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import type { Guest } from "../Guest.ts"
import { normaliseTags } from "../LxcValues.ts"
import { guestOf } from "../Machine.ts"
import type { Schema } from "../ParameterSchema.ts"
import { TaskFailure } from "../TaskTable.ts"
import * as Values from "../ValueFormats.ts"

/** The keys that this host can change on a virtual machine; hardware is out of its reach. */
const schema: Schema = {
  agent: Formats.text(),
  balloon: Formats.integer(0),
  boot: Formats.text(),
  cores: Formats.integer(1),
  cpulimit: { type: "number", optional: true, minimum: 0, maximum: 128 },
  cpuunits: Formats.integer(1, 262_144),
  description: Formats.text(8192),
  lock: Formats.choice("backup", "clone", "create", "migrate", "rollback", "snapshot", "snapshot-delete", "suspended"),
  memory: Formats.integer(16),
  name: { type: "string", optional: true, format: Values.dnsName },
  onboot: Formats.flag,
  ostype: Formats.text(),
  protection: Formats.flag,
  sockets: Formats.integer(1),
  startup: Formats.text(),
  tags: { type: "string", optional: true, format: Formats.tagList },
  template: Formats.flag
}

const privileges: { readonly [key: string]: string } = {
  balloon: "VM.Config.Memory",
  cores: "VM.Config.CPU",
  cpulimit: "VM.Config.CPU",
  cpuunits: "VM.Config.CPU",
  memory: "VM.Config.Memory",
  sockets: "VM.Config.CPU"
}

const keyRefusal = (call: Call, key: string): ApiFailure | undefined => {
  // A plain die, no 403, as in Proxmox (platform-facts 1.3).
  if (key === "lock") return died("only root can set 'lock' config")
  if (key === "startup") return missing(call.machine, call.identity, "/", ["Sys.Modify"])
  return missing(call.machine, call.identity, `/vms/${vmidOf(call)}`, [privileges[key] ?? "VM.Config.Options"])
}

const live = new Set(["name", "onboot", "startup", "description", "protection", "tags", "lock"])

const apply = (guest: Guest, request: ConfigRequest): void => {
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
      const stored = key === "tags" ? normaliseTags(value) : value
      if (guest.running && !live.has(key)) pending.set(key, stored)
      else current.values.set(key, stored)
    }
  }
}

/** Everything that is refused before a worker is forked. */
const accept = (call: Call) =>
  Effect.gen(function*() {
    if (textOf(call, "skiplock") === "1") {
      return yield* badParameters({ skiplock: "Only root may use this option." })
    }
    const request = yield* configRequest(call, schema)
    for (const key of [...request.remove, ...request.revert, ...request.set.keys()]) {
      const refused = keyRefusal(call, key)
      if (refused !== undefined) return yield* refused
    }
    const guest = yield* guestOf(call.machine, "qemu", vmidOf(call))
    return { request, guest }
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
    ...schema
  },
  handle
})

const put = endpoint("PUT", {}, (call) =>
  Effect.gen(function*() {
    const { guest, request } = yield* accept(call)
    yield* guest.fileLock.hold(died)(Effect.zipRight(
      mayChange(guest, request),
      Effect.sync(() => apply(guest, request))
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

const post = endpoint("POST", { background_delay: Formats.integer(1, 30) }, (call) =>
  Effect.gen(function*() {
    const { guest, request } = yield* accept(call)
    yield* mayChange(guest, request)
    const upid = yield* call.machine.tasks.start({
      type: "qmconfig",
      id: String(guest.vmid),
      user: call.identity.id,
      work: (worker) =>
        guest.fileLock.hold((message) => new TaskFailure({ message }), worker)(Effect.gen(function*() {
          yield* worker.log(commandLine(guest, request))
          yield* mayChange(guest, request).pipe(
            Effect.mapError((failure) => new TaskFailure({ message: failure.message }))
          )
          yield* worker.take("50 millis")
          apply(guest, request)
        }))
    })
    const task = call.machine.tasks.find(upid)
    const delay = textOf(call, "background_delay")
    if (delay === undefined || task === undefined) return { data: upid }
    return { data: (yield* call.machine.tasks.endsWithin(task, Number(delay))) ? null : upid }
  }))

/** Changing a virtual machine's configuration: PUT at once, POST by a task (platform-facts 1.3). */
export const endpoints: ReadonlyArray<Endpoint> = [put, post]
