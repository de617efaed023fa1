import { Effect } from "effect"
import { type ApiFailure, badParameters, died, forbidden } from "../ApiFailure.ts"
import { isSet, required, textOf, vmidOf } from "../CallParameters.ts"
import { anyone, type Call, type Endpoint, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { type Guest, lockOf, makeGuest } from "../Guest.ts"
import { keyRefusal, sourceOf } from "../LxcPermissions.ts"
import { lxcConfigSchema } from "../LxcSchema.ts"
import { normaliseValue } from "../LxcValues.ts"
import { giveBack, provision, reserve } from "../RestoreWork.ts"
import { holds, notEnabled, unusable } from "../StorageState.ts"
import * as Values from "../ValueFormats.ts"
import { volumeRefusal } from "../VolumeAccess.ts"
import { cardTrouble } from "./LxcConfig.ts"

// Of the request, and not of the guest's configuration (platform-facts 1.2.1).
const own = new Set([
  "node",
  "vmid",
  "ostemplate",
  "restore",
  "force",
  "unique",
  "unprivileged",
  "storage",
  "password",
  "ssh-public-keys",
  "pool",
  "ignore-unpack-errors",
  "bwlimit",
  "start",
  "ha-managed",
  "description"
])

const mayExist = (call: Call): Effect.Effect<void, ApiFailure> =>
  Effect.suspend(() => {
    const vmid = vmidOf(call)
    const old = call.machine.guests.get(vmid)
    const elsewhere = call.machine.peers.find(({ machine }) => machine.guests.has(vmid))
    if (elsewhere !== undefined) {
      const kind = elsewhere.machine.guests.get(vmid)?.type === "qemu" ? "VM" : "CT"
      return Effect.fail(died(`${kind} ${vmid} already exists on node '${elsewhere.name}'`))
    }
    if (old === undefined) return Effect.void
    if (!isSet(call, "restore") || !isSet(call, "force") || old.type !== "lxc") {
      const kind = old.type === "lxc" ? "CT" : "VM"
      return Effect.fail(died(`${kind} ${vmid} already exists on node '${call.machine.node}'`))
    }
    if (old.running) return Effect.fail(died("can't overwrite running container"))
    if (old.file.current.values.get("protection") === "1") {
      return Effect.fail(died(`unable to restore CT ${vmid} - protection mode enabled`))
    }
    return Effect.void
  })

const mayAllocate = (call: Call): boolean => {
  const onGuest = `/vms/${vmidOf(call)}`
  const pool = textOf(call, "pool")
  return may(call, onGuest, "VM.Allocate") ||
    (pool !== undefined && may(call, `/pool/${pool}`, "VM.Allocate")) ||
    (isSet(call, "restore") && isSet(call, "force") && call.machine.guests.has(vmidOf(call)) &&
      may(call, onGuest, "VM.Backup"))
}

/** Stands for the guest that is not there yet: privileged, unless the request says otherwise (platform-facts 5.2). */
const blank = (call: Call): Guest =>
  makeGuest({
    vmid: vmidOf(call),
    type: "lxc",
    configFile: (textOf(call, "unprivileged") ?? (isSet(call, "restore") ? "0" : "1")) === "1"
      ? "unprivileged: 1\n"
      : "",
    speed: call.machine.speed
  })

const keysPermitted = (call: Call): ApiFailure | undefined => {
  const guest = blank(call)
  for (const [key, value] of call.parameters) {
    const asKey = key === "description" || !own.has(key)
    const refused = asKey ? keyRefusal(call, guest, key, value, textOf(call, "pool")) : undefined
    if (refused !== undefined) return refused
  }
  return undefined
}

/** The storages that the new volumes lie on, in the order of their keys. */
const storagesOf = (call: Call): ReadonlyArray<string> => {
  const fallback = textOf(call, "storage") ?? "local"
  const named = Array.from(call.parameters)
    .filter(([key]) => /^(?:rootfs|mp\d+)$/.test(key))
    .toSorted(([a], [b]) => Number(b === "rootfs") - Number(a === "rootfs"))
    .map(([, value = ""]) => /^([^:,/]+):/.exec(sourceOf(value))?.[1] ?? fallback)
  return call.parameters.has("rootfs") ? named : [fallback]
}

const storagesUsable = (call: Call): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function*() {
    const { identity, machine } = call
    for (const storage of storagesOf(call)) {
      const trouble = notEnabled(machine.storages, storage)
      if (trouble !== undefined) return yield* died(trouble)
      const state = machine.storages.get(storage)
      if (state !== undefined && !holds(state, "rootdir")) {
        return yield* badParameters({ storage: `storage '${storage}' does not support container directories` })
      }
      const refused = missing(machine, identity, `/storage/${storage}`, ["Datastore.AllocateSpace"])
      if (refused !== undefined) return yield* refused
      const offline = unusable(machine.storages, storage)
      if (offline !== undefined) return yield* died(offline)
    }
  })

/** Who overwrites a guest by its right to back it up may not take away that it is unprivileged (platform-facts 1.2.1). */
const mayMakePrivileged = (call: Call): ApiFailure | undefined => {
  const old = call.machine.guests.get(vmidOf(call))
  return old?.file.current.values.get("unprivileged") === "1" && textOf(call, "unprivileged") === "0" &&
      !may(call, `/vms/${vmidOf(call)}`, "VM.Allocate")
    ? missing(call.machine, call.identity, "/", ["Sys.Modify"])
    : undefined
}

const values = (call: Call): Effect.Effect<ReadonlyMap<string, string>, ApiFailure> =>
  Effect.gen(function*() {
    const given = new Map<string, string>()
    for (const [key, value] of call.parameters) {
      // A guest that is still to be made has no use for an unused volume: it is left out with a word in the host's log.
      if (own.has(key) || value === undefined || /^unused\d+$/.test(key)) continue
      const trouble = /^net\d+$/.test(key) ? cardTrouble(call.machine, key, value) : undefined
      if (trouble !== undefined) return yield* died(trouble)
      // Volumes are made by the worker.
      given.set(key, /^(?:rootfs|mp\d+)$/.test(key) ? value : yield* normaliseValue(call.machine, key, value))
    }
    return given
  })

/** Each line is one that `ssh-keygen -l` would read; what it would say of the bytes behind is left open. */
const keysReadable = (text = ""): boolean =>
  text.split("\n").every((line) =>
    /^\s*$/.test(line) || /(?:^|\s)(?:ssh-|ecdsa-sha2-|sk-)[\w@.-]+\s+AAAA[A-Za-z0-9+/]+=*(?:\s|$)/.test(line)
  )

const post: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/lxc",
  permission: anyone,
  protected: true,
  parameters: {
    ...lxcConfigSchema,
    node: Formats.node,
    vmid: Formats.vmid,
    ostemplate: { type: "string", maxLength: 255 },
    restore: Formats.flag,
    force: Formats.flag,
    unique: { type: "boolean", optional: true, requires: "restore" },
    storage: Formats.optional(Formats.storage),
    password: { type: "string", optional: true, minLength: 5 },
    "ssh-public-keys": Formats.text(),
    pool: Values.of(Values.poolName),
    "ignore-unpack-errors": Formats.flag,
    bwlimit: { type: "number", optional: true, minimum: 0 },
    start: Formats.flag,
    "ha-managed": Formats.flag
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const restore = isSet(call, "restore")
      const refused = (!restore && textOf(call, "unprivileged") === "0"
        ? missing(machine, identity, "/", ["Sys.Modify"])
        : undefined) ?? (isSet(call, "ha-managed") ? missing(machine, identity, "/", ["Sys.Console"]) : undefined)
      if (refused !== undefined) return yield* refused
      yield* mayExist(call)
      if (!keysReadable(textOf(call, "ssh-public-keys"))) return yield* died("SSH public key validation error")
      const pool = textOf(call, "pool")
      if (pool !== undefined && !machine.access.pools.has(pool)) {
        return yield* forbidden(`pool '${pool}' does not exist`)
      }
      if (!mayAllocate(call)) return yield* forbidden()
      const forbiddenKey = mayMakePrivileged(call) ?? keysPermitted(call)
      if (forbiddenKey !== undefined) return yield* forbiddenKey
      const unreadable = volumeRefusal(call, required(call, "ostemplate"), {
        vmid: vmidOf(call),
        content: restore ? "backup" : "vztmpl"
      })
      if (unreadable !== undefined) return yield* unreadable
      const hasMounts = Array.from(call.parameters.keys()).some((key) => /^mp\d+$/.test(key))
      if (hasMounts && !call.parameters.has("rootfs")) {
        return yield* died("mount points configured, but 'rootfs' not set - aborting")
      }
      yield* storagesUsable(call)
      const given = yield* values(call)
      const unprivileged = textOf(call, "unprivileged")
      const old = machine.guests.get(vmidOf(call))
      const lock = old === undefined ? undefined : lockOf(old)
      if (lock !== undefined) return yield* died(`unable to restore CT ${vmidOf(call)} - CT is locked (${lock})`)
      const reserved = reserve(machine, vmidOf(call))
      const data = yield* machine.tasks.start({
        type: restore ? "vzrestore" : "vzcreate",
        id: String(vmidOf(call)),
        user: identity.id,
        giveBack: giveBack(machine, reserved),
        work: (worker) =>
          provision(machine, worker, {
            vmid: vmidOf(call),
            identity,
            source: required(call, "ostemplate"),
            restore,
            unique: isSet(call, "unique"),
            unprivileged: unprivileged === undefined ? undefined : unprivileged === "1",
            storage: textOf(call, "storage") ?? "local",
            given,
            description: textOf(call, "description"),
            start: isSet(call, "start")
          }, reserved).pipe(
            Effect.tap(() =>
              Effect.sync(() => pool === undefined ? undefined : machine.access.joinPool(pool, vmidOf(call)))
            )
          )
      })
      return { data }
    })
}

/** Creating and restoring containers (platform-facts 1.2.1, 5.3 to 5.7). */
export const endpoints: ReadonlyArray<Endpoint> = [post]
