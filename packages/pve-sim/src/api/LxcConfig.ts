import { Effect } from "effect"
import { type ApiFailure, died } from "../ApiFailure.ts"
import { vmidOf } from "../CallParameters.ts"
import { type ConfigRequest, configRequest, mayChange } from "../ConfigRequest.ts"
import { anyOf, type Call, type Endpoint } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Guest, pendingDeletes } from "../Guest.ts"
import { keyRefusal, sourceOf } from "../LxcPermissions.ts"
import { deletesLive, lxcConfigSchema, setsLive } from "../LxcSchema.ts"
import { normaliseValue } from "../LxcValues.ts"
import { guestOf, type Machine, takeTime } from "../Machine.ts"

const permitted = (call: Call, guest: Guest, request: ConfigRequest): Effect.Effect<void, ApiFailure> => {
  const keys: ReadonlyArray<readonly [string, string | undefined]> = [
    ...request.remove.map((key) => [key, undefined] as const),
    ...request.set,
    ...request.revert.map((key) => [key, undefined] as const)
  ]
  for (const [key, value] of keys) {
    const refused = keyRefusal(call, guest, key, value)
    if (refused !== undefined) return Effect.fail(refused)
  }
  return Effect.void
}

const setPendingDeletes = (guest: Guest, keys: ReadonlyArray<string>): void => {
  if (keys.length === 0) guest.file.pending.delete("delete")
  else guest.file.pending.set("delete", keys.join(","))
}

const withdraw = (guest: Guest, key: string): void => {
  guest.file.pending.delete(key)
  setPendingDeletes(guest, pendingDeletes(guest).filter((one) => one !== key))
}

/** A volume that is taken out of use stays on its storage, under the next free `unusedN`. */
const keepUnused = (guest: Guest, text: string): void => {
  const source = sourceOf(text)
  if (source.startsWith("/")) return
  let number = 0
  while (guest.file.current.values.has(`unused${number}`)) number++
  guest.file.current.values.set(`unused${number}`, source)
}

const destroyVolume = (machine: Machine, volid: string): void => {
  const storage = volid.slice(0, volid.indexOf(":"))
  machine.content.set(storage, (machine.content.get(storage) ?? []).filter((volume) => volume.volid !== volid))
}

const removeKey = (machine: Machine, guest: Guest, key: string): void => {
  const { current } = guest.file
  if (key === "description") {
    current.description = undefined
    return
  }
  withdraw(guest, key)
  const before = current.values.get(key)
  if (before === undefined) return
  if (guest.running && !deletesLive(key)) {
    setPendingDeletes(guest, [...pendingDeletes(guest), key])
    return
  }
  current.values.delete(key)
  if (/^mp\d+$/.test(key)) keepUnused(guest, before)
  if (/^unused\d+$/.test(key)) destroyVolume(machine, before)
}

const setKey = (guest: Guest, key: string, value: string): void => {
  withdraw(guest, key)
  const before = guest.file.current.values.get(key)
  // A mount point that is there already can't be swapped under a running guest; a new one can be added.
  const live = /^(?:rootfs|mp\d+)$/.test(key) ? before === undefined : setsLive(key)
  if (guest.running && !live && before !== value) {
    guest.file.pending.set(key, value)
    return
  }
  guest.file.current.values.set(key, value)
  if (before !== undefined && /^mp\d+$/.test(key) && sourceOf(before) !== sourceOf(value)) keepUnused(guest, before)
}

const neverDeleted = new Set(["memory", "rootfs", "ostype", "unprivileged"])

const apply = (machine: Machine, guest: Guest, request: ConfigRequest): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function*() {
    for (const key of request.remove) {
      if (neverDeleted.has(key)) return yield* died(`unable to delete required option '${key}'`)
    }
    if (request.set.has("unprivileged")) return yield* died("unable to modify read-only option: 'unprivileged'")
    // All values first: a request that fails on one key changes nothing (platform-facts 11, item 4).
    const values: Array<readonly [string, string]> = []
    for (const [key, value] of request.set) {
      if (key !== "description" && value !== undefined) {
        values.push([key, yield* normaliseValue(machine, guest, key, value)])
      }
    }
    for (const key of request.revert) withdraw(guest, key)
    for (const key of request.remove) removeKey(machine, guest, key)
    if (request.set.has("description")) guest.file.current.description = request.set.get("description")
    for (const [key, value] of values) setKey(guest, key, value)
  })

// Writing takes a moment, in which the lock is held; only a worker on the same guest can notice.
const writeSlowly = (machine: Machine, guest: Guest): Effect.Effect<void> =>
  machine.tasks.all.some((task) => task.endTime === undefined && task.parts.id === String(guest.vmid))
    ? takeTime(machine, "30 millis")
    : Effect.void

const put: Endpoint = {
  method: "PUT",
  path: "/nodes/{node}/lxc/{vmid}/config",
  permission: anyOf(
    "/vms/{vmid}",
    ...["Disk", "CPU", "Memory", "Network", "Options"].map((name) => `VM.Config.${name}`)
  ),
  protected: true,
  parameters: {
    node: Formats.node,
    vmid: Formats.vmid,
    digest: Formats.text(40),
    delete: { type: "string", optional: true, format: Formats.configIdList },
    revert: { type: "string", optional: true, format: Formats.configIdList },
    ...lxcConfigSchema
  },
  handle: (call) =>
    Effect.gen(function*() {
      const request = yield* configRequest(call, lxcConfigSchema)
      const guest = yield* guestOf(call.machine, "lxc", vmidOf(call))
      yield* guest.fileLock.hold(died)(Effect.gen(function*() {
        yield* mayChange(guest, request)
        yield* permitted(call, guest, request)
        yield* apply(call.machine, guest, request)
        yield* writeSlowly(call.machine, guest)
      }))
      return { data: null }
    })
}

/** Changing a container's configuration: synchronous, no task (platform-facts 1.2, 5). */
export const endpoints: ReadonlyArray<Endpoint> = [put]
