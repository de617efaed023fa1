import { Effect } from "effect"
import { type ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { bridgeTrouble } from "../Bridges.ts"
import { textOf, vmidOf } from "../CallParameters.ts"
import { type ConfigRequest, mayChange } from "../ConfigRequest.ts"
import { anyOf, type Call, type Endpoint } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Guest, pendingDeletes } from "../Guest.ts"
import { keyRefusal, sourceOf } from "../LxcPermissions.ts"
import { cardProperties, deletesLive, lxcConfigSchema, setsLive } from "../LxcSchema.ts"
import { appliedMount, mountTrouble, normaliseValue } from "../LxcValues.ts"
import { guestOf, type Machine, takeTime } from "../Machine.ts"
import { splitList } from "../ParameterSchema.ts"
import { readProperties } from "../PropertyFormat.ts"

/** What the request asks for; which of it may be is looked at under the lock. */
const requestOf = (call: Call): Effect.Effect<ConfigRequest, ApiFailure> =>
  Effect.suspend(() => {
    const own = new Set(["node", "vmid", "digest", "delete", "revert"])
    const set = new Map(Array.from(call.parameters).filter(([key]) => !own.has(key)))
    return set.size === 0 && !call.parameters.has("delete") && !call.parameters.has("revert")
      ? Effect.fail(died("no options specified"))
      : Effect.succeed({
        set,
        remove: splitList(textOf(call, "delete")),
        revert: splitList(textOf(call, "revert")),
        digest: textOf(call, "digest")
      })
  })

const contradiction = ({ remove, revert, set }: ConfigRequest): ApiFailure | undefined => {
  const given = (key: string): boolean => set.get(key) !== undefined
  for (const key of revert) {
    if (!(key in lxcConfigSchema)) return badParameters({ revert: `unknown option '${key}'` })
    if (given(key)) return badParameters({ revert: `you can't use '-${key}' and '-revert ${key}' at the same time` })
  }
  for (const key of remove) {
    if (!(key in lxcConfigSchema)) return badParameters({ delete: `unknown option '${key}'` })
    if (given(key)) return badParameters({ delete: `you can't use '-${key}' and -delete ${key}' at the same time` })
    if (revert.includes(key)) {
      return badParameters({ delete: `you can't use '-delete ${key}' and '-revert ${key}' at the same time` })
    }
  }
  return undefined
}

/** In Proxmox's order: what goes, what is reverted, what makes no sense, and what is set. */
const permitted = (call: Call, guest: Guest, request: ConfigRequest): Effect.Effect<void, ApiFailure> =>
  Effect.suspend(() => {
    const refusedOf = (keys: Iterable<readonly [string, string | undefined]>): ApiFailure | undefined =>
      Array.from(keys).map(([key, value]) => keyRefusal(call, guest, key, value)).find((refused) =>
        refused !== undefined
      )
    const refused = refusedOf([...request.remove, ...request.revert].map((key) => [key, undefined] as const)) ??
      contradiction(request) ?? refusedOf(request.set)
    return refused === undefined ? Effect.void : Effect.fail(refused)
  })

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

const setKey = (machine: Machine, guest: Guest, key: string, value: string): Effect.Effect<void> =>
  Effect.gen(function*() {
    withdraw(guest, key)
    const { values } = guest.file.current
    const before = values.get(key)
    const isMount = /^mp\d+$/.test(key)
    // A mount point that is there already can't be swapped under a running guest; a new one can be added.
    const live = isMount ? before === undefined : setsLive(key)
    if (guest.running && !live) {
      if (before !== value) guest.file.pending.set(key, value)
      return
    }
    const applied = isMount ? yield* appliedMount(machine, guest.vmid, value) : value
    values.set(key, applied)
    if (before !== undefined && isMount && sourceOf(before) !== sourceOf(applied)) keepUnused(guest, before)
  })

const isProtected = (guest: Guest): boolean => guest.file.current.values.get("protection") === "1"

/** Why a key can't be taken away, in Proxmox's words; one that is not set is let pass. */
const removeTrouble = (guest: Guest, key: string): string | undefined => {
  const { current, pending } = guest.file
  if (!current.values.has(key) && !pending.has(key)) return undefined
  if (["memory", "rootfs", "ostype"].includes(key)) return `unable to delete required option '${key}'`
  if (key === "unprivileged") return "unable to delete read-only option: 'unprivileged'"
  return /^(?:mp|unused)\d+$/.test(key) && isProtected(guest)
    ? `can't remove CT ${guest.vmid} drive '${key}' - protection mode enabled`
    : undefined
}

/** The largest packet that a bridge takes; a bridge is made with this. */
const bridgeMtu = 1500

/** Why a card can't be set, in Proxmox's words; of a bridge that is not there only its MTU is missed. */
export const cardTrouble = (machine: Machine, key: string, text: string): string | undefined => {
  const card = readProperties(text, cardProperties)
  if (typeof card === "string") return undefined
  const mtu = Number(card.get("mtu") ?? "0")
  const missed = mtu === 0 ? undefined : bridgeTrouble(machine, text)
  if (missed !== undefined) return missed
  if (mtu > bridgeMtu) return `${key}: MTU size '${mtu}' is bigger than bridge MTU '${bridgeMtu}'`
  return card.get("host-managed") === "1" && card.get("ip6") === "auto" && card.get("link_down") !== "1"
    ? `${key}: SLAAC is not supported for host-managed network configuration.`
    : undefined
}

const setTrouble = (machine: Machine, guest: Guest, key: string, value: string): string | undefined => {
  if (/^(?:rootfs|mp\d+)$/.test(key)) {
    return isProtected(guest)
      ? `can't update CT ${guest.vmid} drive '${key}' - protection mode enabled`
      : mountTrouble(machine, value)
  }
  if (key === "unprivileged") return "unable to modify read-only option: 'unprivileged'"
  return /^net\d+$/.test(key) ? cardTrouble(machine, key, value) : undefined
}

/** What can't be put into a guest that runs; then nothing of the request is written (platform-facts 5.9). */
const plugTrouble = (machine: Machine, key: string, value: string): ReadonlyArray<readonly [string, string]> => {
  const trouble = /^net\d+$/.test(key) ? bridgeTrouble(machine, value) : undefined
  return trouble === undefined ? [] : [[key, `unable to hotplug ${key}: ${trouble}\n`]]
}

const apply = (machine: Machine, guest: Guest, request: ConfigRequest): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function*() {
    const wanted = Array.from(request.set).flatMap(([key, value]) => value === undefined ? [] : [[key, value] as const])
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
    // Trouble first: a request that fails on one key changes nothing (platform-facts 11, item 4).
    const trouble = request.remove.map((key) => removeTrouble(guest, key)).find((said) => said !== undefined) ??
      wanted.map(([key, value]) => setTrouble(machine, guest, key, value)).find((said) => said !== undefined)
    if (trouble !== undefined) return yield* died(trouble)
    const unplugged = guest.running ? wanted.flatMap(([key, value]) => plugTrouble(machine, key, value)) : []
    if (unplugged.length > 0) return yield* badParameters(Object.fromEntries(unplugged))
    for (const key of request.revert) withdraw(guest, key)
    for (const key of request.remove) removeKey(machine, guest, key)
    if (request.set.has("description")) guest.file.current.description = request.set.get("description")
    for (const [key, value] of wanted) {
      if (key !== "description") yield* setKey(machine, guest, key, yield* normaliseValue(machine, key, value))
    }
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
      const request = yield* requestOf(call)
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
