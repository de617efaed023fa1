import { Clock, Deferred, Effect } from "effect"
import { badParameters, died } from "../ApiFailure.ts"
import { choiceOf, isSet, textOf, vmidOf } from "../CallParameters.ts"
import { all, anyone, type Call, type Endpoint, type Json, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { digestOf, type Guest, isRawKey, pendingDeletes, sectionAsApi, volumesOf, withPending } from "../Guest.ts"
import { currentStatus, statusRow } from "../GuestStatus.ts"
import { guestOf } from "../Machine.ts"
import { hasFeature } from "../VolumeFeature.ts"

type GuestType = "lxc" | "qemu"

const theGuest = (call: Call, type: GuestType) => guestOf(call.machine, type, vmidOf(call))

const inPath = { node: Formats.node, vmid: Formats.vmid }

const audit = all("/vms/{vmid}", "VM.Audit")

// lxc-info does not answer while the container's start hangs in a mount.
const mounted = (guest: Guest): Effect.Effect<void> =>
  guest.mounting === undefined ? Effect.void : Deferred.await(guest.mounting)

const list = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}`,
  permission: anyone,
  protected: true,
  parameters: type === "lxc" ? { node: Formats.node } : { node: Formats.node, full: Formats.flag },
  handle: (call) =>
    Effect.gen(function*() {
      const guests = Array.from(call.machine.guests.values()).filter((guest) =>
        guest.type === type && may(call, `/vms/${guest.vmid}`, "VM.Audit")
      )
      yield* Effect.forEach(guests, mounted, { discard: true })
      const now = yield* Clock.currentTimeMillis
      return { data: guests.map((guest) => statusRow(call.machine, guest, now)) }
    })
})

const current = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/status/current`,
  permission: audit,
  protected: true,
  parameters: inPath,
  handle: (call) =>
    Effect.gen(function*() {
      const guest = yield* theGuest(call, type)
      yield* mounted(guest)
      return { data: currentStatus(call.machine, guest, yield* Clock.currentTimeMillis) }
    })
})

const config = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/config`,
  permission: audit,
  protected: false,
  parameters: { ...inPath, current: Formats.flag, snapshot: Formats.optional(Formats.snapname) },
  handle: (call) =>
    Effect.gen(function*() {
      const snapshot = textOf(call, "snapshot")
      if (snapshot !== undefined && isSet(call, "current")) {
        const both = "cannot use 'snapshot' parameter with 'current'"
        return yield* badParameters({ snapshot: both, current: both })
      }
      const guest = yield* theGuest(call, type)
      const section = snapshot === undefined
        ? (isSet(call, "current") ? guest.file.current : withPending(guest))
        : guest.file.snapshots.get(snapshot)
      if (section === undefined) return yield* died(`snapshot '${snapshot}' does not exist`)
      const shown: { [key: string]: Json } = { ...sectionAsApi(type, section), digest: digestOf(guest) }
      const raw = Array.from(section.values).filter(([key]) => isRawKey(type, key))
      if (raw.length > 0) shown["lxc"] = raw
      if (!may(call, `/vms/${guest.vmid}`, "VM.Config.Options")) delete shown["env"]
      if (shown["cipassword"] !== undefined) shown["cipassword"] = "**********"
      return { data: shown }
    })
})

const pending = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/pending`,
  permission: audit,
  protected: false,
  parameters: inPath,
  handle: (call) =>
    Effect.gen(function*() {
      const guest = yield* theGuest(call, type)
      const inForce = { ...sectionAsApi(type, guest.file.current), digest: digestOf(guest) }
      const waiting = sectionAsApi(type, { description: undefined, values: guest.file.pending })
      const deletes = new Set(pendingDeletes(guest))
      const rows: Array<Json> = Object.entries(inForce).map(([key, value]) => ({
        key,
        value,
        pending: waiting[key],
        delete: deletes.has(key) ? 1 : undefined
      }))
      for (const [key, value] of Object.entries(waiting)) {
        if (key !== "delete" && !(key in inForce)) rows.push({ key, pending: value })
      }
      return { data: rows }
    })
})

const feature = (type: GuestType): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}/${type}/{vmid}/feature`,
  permission: audit,
  protected: true,
  parameters: {
    ...inPath,
    feature: { type: "string", enum: ["snapshot", "clone", "copy"] },
    snapname: Formats.optional(Formats.snapname)
  },
  handle: (call) =>
    Effect.gen(function*() {
      const guest = yield* theGuest(call, type)
      const snapshot = textOf(call, "snapname")
      const section = snapshot === undefined ? guest.file.current : guest.file.snapshots.get(snapshot)
      if (section === undefined) return yield* died(`snapshot '${snapshot}' does not exist`)
      const wanted = choiceOf(call, "feature", ["snapshot", "clone", "copy"]) ?? "snapshot"
      const has = volumesOf(guest, section).every(({ source }) =>
        hasFeature(call.machine, type, wanted, source, snapshot !== undefined)
      )
      return {
        data: type === "lxc" ? { hasFeature: has ? 1 : 0 } : { hasFeature: has ? 1 : 0, nodes: [call.machine.node] }
      }
    })
})

const interfaces: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/lxc/{vmid}/interfaces",
  permission: audit,
  protected: true,
  parameters: inPath,
  handle: (call) =>
    Effect.gen(function*() {
      const guest = yield* theGuest(call, "lxc")
      if (!guest.running) return { data: null }
      const link = (name: string, hwaddr: string, addresses: ReadonlyArray<Json>): Json => ({
        name,
        hwaddr,
        "hardware-address": hwaddr,
        "ip-addresses": addresses
      })
      const cards = Array.from(guest.file.current.values).flatMap(([key, text]) => {
        const part = (name: string): string | undefined => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(text)?.[1]
        const [, address, prefix] = /^([\d.]+)\/(\d+)$/.exec(part("ip") ?? "") ?? []
        return /^net\d+$/.test(key)
          ? [link(
            part("name") ?? key,
            (part("hwaddr") ?? "").toLowerCase(),
            address === undefined ? [] : [{ "ip-address": address, "ip-address-type": "inet", prefix: Number(prefix) }]
          )]
          : []
      })
      return { data: [link("lo", "00:00:00:00:00:00", []), ...cards] }
    })
}

/** Reading guests: lists, status, configuration, pending changes, features, addresses. */
export const endpoints: ReadonlyArray<Endpoint> = [
  ...(["lxc", "qemu"] as const).flatMap((
    type
  ) => [list(type), current(type), config(type), pending(type), feature(type)]),
  interfaces
]
