import { Clock, Effect } from "effect"
import type { Pool } from "../AccessControl.ts"
import * as AccessFormats from "../AccessFormats.ts"
import { type ApiFailure, died } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { resourceRow } from "../GuestStatus.ts"
import { splitList } from "../ParameterSchema.ts"
import { modifyPrivileges } from "../UserPermissions.ts"
import { listOf, storageId } from "../ValueFormats.ts"
import { heard, storageRow } from "./Cluster.ts"

const mayChange = all("/pool/{poolid}", "Pool.Allocate")

const kinds = Formats.choice("qemu", "lxc", "storage")

const members = (call: Call, pool: Pool, nowMillis: number): ReadonlyArray<Json> => {
  const type = textOf(call, "type")
  const wanted = (one: string): boolean => type === undefined || type === one
  return heard(call).flatMap((machine) => [
    ...Array.from(pool.vms).flatMap((vmid) => {
      const guest = machine.guests.get(vmid)
      return guest === undefined || !wanted(guest.type) ? [] : [resourceRow(machine, guest, nowMillis)]
    }),
    ...Array.from(pool.storages).flatMap((storage) => {
      const state = machine === call.machine ? machine.storages.get(storage) : undefined
      return state === undefined || !wanted("storage") ? [] : [storageRow(machine, state)]
    })
  ])
}

const found = (call: Call, prefix = ""): Effect.Effect<readonly [string, Pool], ApiFailure> =>
  Effect.suspend(() => {
    const poolid = required(call, "poolid")
    const pool = call.machine.access.pools.get(poolid)
    return pool === undefined
      ? Effect.fail(died(`${prefix}pool '${poolid}' does not exist`))
      : Effect.succeed([poolid, pool] as const)
  })

const list: Endpoint = {
  method: "GET",
  path: "/pools",
  permission: anyone,
  protected: false,
  parameters: {
    poolid: { ...AccessFormats.poolid, optional: true },
    type: { ...kinds, requires: "poolid" }
  },
  handle: (call) =>
    Effect.gen(function*() {
      const asked = textOf(call, "poolid")
      if (asked !== undefined) {
        const refused = missing(call.machine, call.identity, `/pool/${asked}`, ["Pool.Audit"])
        if (refused !== undefined) return yield* refused
        const [poolid, pool] = yield* found(call)
        const now = yield* Clock.currentTimeMillis
        return { data: [{ poolid, comment: pool.comment, members: members(call, pool, now) }] }
      }
      return {
        data: Array.from(call.machine.access.pools)
          .filter(([poolid]) => may(call, `/pool/${poolid}`, "Pool.Audit"))
          .map(([poolid, { comment }]) => ({ poolid, comment }))
      }
    })
}

const read: Endpoint = {
  method: "GET",
  path: "/pools/{poolid}",
  permission: all("/pool/{poolid}", "Pool.Audit"),
  protected: false,
  parameters: { poolid: AccessFormats.poolid, type: kinds },
  handle: (call) =>
    Effect.gen(function*() {
      const [, pool] = yield* found(call)
      return { data: { comment: pool.comment, members: members(call, pool, yield* Clock.currentTimeMillis) } }
    })
}

const create: Endpoint = {
  method: "POST",
  path: "/pools",
  permission: mayChange,
  protected: true,
  parameters: { poolid: AccessFormats.poolid, comment: Formats.text() },
  handle: (call) =>
    Effect.gen(function*() {
      const poolid = required(call, "poolid")
      const { access } = call.machine
      if (access.pools.has(poolid)) return yield* died(`create pool failed: pool '${poolid}' already exists`)
      access.setPool(poolid, { comment: textOf(call, "comment"), vms: new Set(), storages: new Set() })
      return { data: null }
    })
}

// Who puts an object into a pool gives others rights on it, so it takes the right to change its ACL. A refusal inside the locked
// part is told as the text that Perl makes of it.
const mayHandOver = (call: Call, path: string): Effect.Effect<void, ApiFailure> =>
  Effect.suspend(() => {
    const refused = missing(call.machine, call.identity, path, modifyPrivileges(path), true)
    return refused === undefined
      ? Effect.void
      : Effect.fail(died(`update pools failed: ${refused.status} ${refused.message}`))
  })

const trouble = (said: string): ApiFailure => died(`update pools failed: ${said}`)

const withGuests = (call: Call, poolid: string, before: ReadonlySet<number>) =>
  Effect.gen(function*() {
    const { access } = call.machine
    const vms = new Set(before)
    const leaving = new Map<string, Set<number>>()
    for (const vmid of splitList(textOf(call, "vms")).map(Number)) {
      yield* mayHandOver(call, `/vms/${vmid}`)
      if (isSet(call, "delete")) {
        if (!vms.delete(vmid)) return yield* trouble(`VM ${vmid} is not a pool member`)
        continue
      }
      if (vms.has(vmid)) return yield* trouble(`VM ${vmid} is already a pool member`)
      const other = Array.from(access.pools).find(([id, pool]) => id !== poolid && pool.vms.has(vmid))?.[0]
      if (other !== undefined) {
        if (!isSet(call, "allow-move")) {
          return yield* trouble(`VM ${vmid} belongs already to pool '${other}' and allow-move is not set`)
        }
        leaving.set(other, (leaving.get(other) ?? new Set()).add(vmid))
      }
      vms.add(vmid)
    }
    return { vms, leaving }
  })

const withStorages = (call: Call, before: ReadonlySet<string>) =>
  Effect.gen(function*() {
    const storages = new Set(before)
    for (const storage of splitList(textOf(call, "storage"))) {
      yield* mayHandOver(call, `/storage/${storage}`)
      if (isSet(call, "delete")) {
        if (!storages.delete(storage)) return yield* trouble(`Storage '${storage}' is not a pool member`)
      } else if (storages.has(storage)) {
        return yield* trouble(`Storage '${storage}' is already a pool member`)
      } else storages.add(storage)
    }
    return storages
  })

const update = (path: string): Endpoint => ({
  method: "PUT",
  path,
  permission: mayChange,
  protected: true,
  parameters: {
    poolid: AccessFormats.poolid,
    comment: Formats.text(),
    vms: { type: "string", optional: true, format: Formats.vmidList },
    storage: { type: "string", optional: true, format: listOf(storageId) },
    "allow-move": Formats.flag,
    delete: Formats.flag
  },
  handle: (call) =>
    Effect.gen(function*() {
      const { access } = call.machine
      const [poolid, pool] = yield* found(call, "update pools failed: ")
      const { leaving, vms } = yield* withGuests(call, poolid, pool.vms)
      const storages = yield* withStorages(call, pool.storages)
      for (const [other, gone] of leaving) {
        const left = access.pools.get(other)
        if (left !== undefined) {
          access.setPool(other, { ...left, vms: new Set([...left.vms].filter((vmid) => !gone.has(vmid))) })
        }
      }
      access.setPool(poolid, { comment: textOf(call, "comment") ?? pool.comment, vms, storages })
      return { data: null }
    })
})

const remove = (path: string): Endpoint => ({
  method: "DELETE",
  path,
  permission: mayChange,
  protected: true,
  parameters: { poolid: AccessFormats.poolid },
  handle: (call) =>
    Effect.gen(function*() {
      const { access, storages } = call.machine
      const [poolid, pool] = yield* found(call, "delete pool failed: ")
      const there = heard(call).flatMap(({ guests }) => Array.from(guests.keys()))
      const vmid = there.find((one) => pool.vms.has(one))
      if (vmid !== undefined) {
        return yield* died(`delete pool failed: pool '${poolid}' is not empty (contains VM ${vmid})`)
      }
      const storage = Array.from(storages.keys()).find((one) => pool.storages.has(one))
      if (storage !== undefined) {
        return yield* died(`delete pool failed: pool '${poolid}' is not empty (contains storage '${storage}')`)
      }
      access.removePool(poolid)
      return { data: null }
    })
})

/** Pools, flat ones: what they hold, and what they lend (platform-facts 1.10, 3.2). The paths with the name in them are the old way. */
export const endpoints: ReadonlyArray<Endpoint> = [
  list,
  read,
  create,
  update("/pools"),
  update("/pools/{poolid}"),
  remove("/pools"),
  remove("/pools/{poolid}")
]
