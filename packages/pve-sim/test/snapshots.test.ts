import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, node, secrets, statusOf, upidOf } from "./Asking.ts"
import { recordedWorld } from "./recordedWorld.ts"

const guest = `${node}/lxc/9999`
const roles = { FelhomAgent: agentPrivileges }
const asRecorded = Effect.provide(PveSim.layer({ secrets, roles }))

/** Runs a call's task to its end; how it ended. */
const ended = (method: string, path: string, form?: string) =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask(method, path, form))
    yield* TestClock.adjust("5 seconds")
    return Object((yield* statusOf(upid)).data).exitstatus
  })

const snapshot = (name: string, more = "", of = guest) => ended("POST", `${of}/snapshot`, `snapname=${name}${more}`)
const rollback = (name: string, of = guest) => ended("POST", `${of}/snapshot/${name}/rollback`, "")

const tree = (of = guest) =>
  Effect.map(
    ask("GET", `${of}/snapshot`),
    ({ data }) => Array.isArray(data) ? Object.fromEntries(data.map(({ name, parent }) => [name, parent])) : {}
  )

/** The recorded host with its container's storage, or its virtual machine's disk, of another kind. */
const worldWith = (storageType: string) =>
  Effect.map(recordedWorld, (world) => ({
    ...world,
    storages: world.storages.map((one) => one.storage === "ctstore" ? { ...one, type: storageType } : one),
    guests: world.guests.map((one) => ({
      ...one,
      config_file: one.config_file.replace("vm-200-disk-0.raw", "vm-200-disk-0.qcow2")
    }))
  }))

const onStorage = <A, E>(type: string, work: Effect.Effect<A, E, PveSim>) =>
  Effect.flatMap(worldWith(type), (world) => Effect.provide(work, PveSim.layer({ secrets, roles, world })))

it.effect("what lies in a directory, or is a directory, takes no snapshot", () =>
  Effect.gen(function*() {
    for (const vmid of [101, 102]) {
      const feature = yield* ask("GET", `${node}/lxc/${vmid}/feature?feature=snapshot`)
      expect(feature.data).toEqual({ hasFeature: 0 })
      expect(yield* snapshot("one", "", `${node}/lxc/${vmid}`)).toBe("snapshot feature is not available")
    }
    expect((yield* ask("GET", `${guest}/feature?feature=snapshot`)).data).toEqual({ hasFeature: 1 })
  }).pipe(asRecorded))

it.effect("a container is snapshotted on btrfs, ZFS, thin LVM and Ceph, and on thick LVM and NFS it is not", () =>
  Effect.gen(function*() {
    for (const type of ["btrfs", "zfspool", "lvmthin", "rbd"]) {
      expect([type, yield* onStorage(type, snapshot("one"))]).toEqual([type, "OK"])
    }
    for (const type of ["lvm", "nfs", "cifs"]) {
      expect([type, yield* onStorage(type, snapshot("one"))]).toEqual([type, "snapshot feature is not available"])
    }
  }))

it.effect("after a rollback new snapshots grow from there, and one that is deleted leaves its children to its parent", () =>
  Effect.gen(function*() {
    for (const name of ["one", "two", "three"]) yield* snapshot(name)
    expect(yield* tree()).toEqual({ one: undefined, two: "one", three: "two", current: "three" })
    expect(yield* rollback("one")).toBe("OK")
    yield* snapshot("branch")
    expect(yield* tree()).toEqual({ one: undefined, two: "one", three: "two", branch: "one", current: "branch" })
    expect(yield* ended("DELETE", `${guest}/snapshot/two`)).toBe("OK")
    expect(yield* tree()).toEqual({ one: undefined, three: "one", branch: "one", current: "branch" })
    expect(yield* ended("DELETE", `${guest}/snapshot/branch`)).toBe("OK")
    expect(yield* tree()).toEqual({ one: undefined, three: "one", current: "one" })
  }).pipe(asRecorded))

it.effect("on ZFS the way back leads to the latest snapshot only, and the guest goes on running when it is refused", () =>
  onStorage(
    "zfspool",
    Effect.gen(function*() {
      yield* snapshot("one")
      yield* snapshot("two")
      yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 9999, status: "running" })
      expect(yield* rollback("one")).toBe(
        "can't rollback, 'one' is not most recent snapshot on 'ctstore:9999/vm-9999-disk-0.raw'"
      )
      expect((yield* ask("GET", `${guest}/status/current`)).data).toMatchObject({ status: "running" })
      expect((yield* ask("GET", `${guest}/config`)).data).not.toHaveProperty("lock")
      expect(yield* rollback("two")).toBe("OK")
    })
  ))

it.effect("a volume that came after the snapshot is kept, unused, when its guest goes back", () =>
  Effect.gen(function*() {
    yield* snapshot("before")
    yield* ask("PUT", `${guest}/config`, `mp0=${encodeURIComponent("ctstore:1,mp=/later")}`)
    expect(yield* rollback("before")).toBe("OK")
    const { data } = yield* ask("GET", `${guest}/config`)
    expect(data).toMatchObject({ unused0: "ctstore:9999/vm-9999-disk-1.raw" })
    expect(data).not.toHaveProperty("mp0")
  }).pipe(asRecorded))

it.effect("a running container is killed for a rollback, and stays off", () =>
  Effect.gen(function*() {
    yield* snapshot("one")
    yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 9999, status: "running" })
    expect(yield* rollback("one")).toBe("OK")
    expect((yield* ask("GET", `${guest}/status/current`)).data).toMatchObject({ status: "stopped" })
  }).pipe(asRecorded))

it.effect("a virtual machine's memory is saved on request, and it goes on from there after a rollback", () =>
  onStorage(
    "btrfs",
    Effect.gen(function*() {
      const vm = `${node}/qemu/200`
      const running = Effect.map(ask("GET", `${vm}/status/current`), ({ data }) => Object(data).status)
      yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 200, status: "running" })
      expect(yield* snapshot("warm", "&vmstate=1", vm)).toBe("OK")
      expect(yield* snapshot("cold", "", vm)).toBe("OK")
      expect((yield* ask("GET", `${vm}/snapshot`)).data).toMatchObject([
        { name: "warm", vmstate: 1 },
        { name: "cold", vmstate: 0 },
        { name: "current" }
      ])
      const state = { volid: "local:200/vm-200-state-warm.raw" }
      const images = Effect.map(ask("GET", `${node}/storage/local/content?vmid=200`), ({ data }) => data)
      expect(yield* images).toContainEqual(expect.objectContaining(state))
      yield* rollback("cold", vm)
      expect(yield* running).toBe("stopped")
      yield* rollback("warm", vm)
      expect(yield* running).toBe("running")
      yield* ended("DELETE", `${vm}/snapshot/warm`)
      expect(yield* images).not.toContainEqual(expect.objectContaining(state))
    })
  ))

it.effect("names that Proxmox keeps for itself, and names that are none, are refused at once", () =>
  Effect.gen(function*() {
    const refused = (name: string, of = guest) =>
      Effect.map(ask("POST", `${of}/snapshot`, `snapname=${name}`), ({ errors, reason }) => errors ?? reason)
    expect(yield* refused("current")).toBe("unable to use snapshot name 'current' (reserved name)")
    expect(yield* refused("vzdump")).toBe("unable to use snapshot name 'vzdump' (reserved name)")
    expect(yield* refused("1st")).toEqual({ snapname: "invalid format - invalid configuration ID '1st'\n" })
    expect(yield* snapshot("one")).toBe("OK")
    expect(yield* snapshot("one")).toBe("snapshot name 'one' already used")
    expect(yield* rollback("two")).toBe("snapshot 'two' does not exist")
  }).pipe(asRecorded))
