import { it } from "@effect/vitest"
import { agentPrivileges, allPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"
import { recordedWorld } from "./recordedWorld.ts"

const guest = `${node}/lxc/9999`
const asAgent = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

const reasonOf = (method: string, path: string, form?: string) =>
  Effect.map(ask(method, path, form), ({ reason }) => reason)

it.effect("what the HA manager looks after is asked for, and comes up later by a task of root's", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.ha", vmid: 9999, state: "stopped" })
    const current = Effect.map(ask("GET", `${guest}/status/current`), ({ data }) => data)
    expect(yield* current).toMatchObject({ ha: { managed: 1, state: "stopped" } })
    const upid = upidOf(yield* ask("POST", `${guest}/status/start`, ""))
    yield* TestClock.adjust("1 second")
    expect((yield* statusOf(upid)).data).toMatchObject({ type: "hastart", exitstatus: "OK" })
    expect((yield* logOf(upid)).data).toContainEqual({ n: 1, t: "Requesting HA start for CT 9999" })
    // Only asked for so far.
    expect(yield* current).toMatchObject({ status: "stopped" })
    yield* TestClock.adjust("15 seconds")
    expect(yield* current).toMatchObject({ status: "running" })
    expect((yield* ask("GET", `${node}/tasks?vmid=9999&typefilter=vzstart&limit=1`)).data)
      .toMatchObject([{ user: "root@pam" }])
    const stop = upidOf(yield* ask("POST", `${guest}/status/shutdown`, ""))
    yield* TestClock.adjust("20 seconds")
    expect((yield* statusOf(stop)).data).toMatchObject({ type: "hastop", exitstatus: "OK" })
    expect(yield* current).toMatchObject({ status: "stopped" })
    expect(yield* reasonOf("DELETE", guest))
      .toBe("unable to remove CT 9999 - used in HA resources and purge parameter not set.")
    expect((yield* ask("DELETE", `${guest}?purge=1`)).status).toBe(200)
  }).pipe(asAgent))

it.effect("a protected container keeps its place and its disk", () =>
  Effect.gen(function*() {
    yield* ask("PUT", `${guest}/config`, "protection=1")
    expect(yield* reasonOf("DELETE", guest)).toBe("can't remove CT 9999 - protection mode enabled")
    yield* ask("PUT", `${guest}/config`, "protection=0")
    expect((yield* ask("DELETE", guest)).status).toBe(200)
  }).pipe(asAgent))

it.effect("a container on thin LVM becomes a template by a task that the call does not name, and never starts again", () =>
  Effect.gen(function*() {
    const recorded = yield* recordedWorld
    const world = {
      ...recorded,
      storages: recorded.storages.map((one) =>
        one.storage === "ctstore"
          ? { storage: "ctstore", type: "lvmthin", vgname: "pve", thinpool: "data", content: "rootdir,images" }
          : one
      ),
      guests: recorded.guests.map((one) => ({
        ...one,
        config_file: one.config_file.replace("ctstore:9999/vm-9999-disk-0.raw", "ctstore:vm-9999-disk-0")
      }))
    }
    yield* Effect.gen(function*() {
      expect(yield* ask("POST", `${guest}/template`, "")).toMatchObject({ status: 200, data: null })
      yield* TestClock.adjust("10 seconds")
      expect((yield* ask("GET", `${node}/tasks?vmid=9999&typefilter=vztemplate&source=all&limit=1`)).data)
        .toMatchObject([{ status: "OK" }])
      expect((yield* ask("GET", `${guest}/config`)).data)
        .toMatchObject({ template: 1, rootfs: "ctstore:base-9999-disk-0,size=1G" })
      const start = upidOf(yield* ask("POST", `${guest}/status/start`, ""))
      yield* TestClock.adjust("5 seconds")
      expect((yield* statusOf(start)).data)
        .toMatchObject({ exitstatus: "you can't start a CT if it's a template" })
    }).pipe(Effect.provide(PveSim.layer({ secrets, world, roles: { FelhomAgent: agentPrivileges } })))
  }))

it.effect("who asks a guest's agent needs the right to, then an agent in the configuration, then one that runs", () =>
  Effect.gen(function*() {
    const vm = `${node}/qemu/200`
    const sim = yield* PveSim
    const ping = reasonOf("POST", `${vm}/agent/ping`, "")
    expect(yield* ping).toBe("No QEMU guest agent configured")
    yield* sim.change({ _tag: "guest.set", vmid: 200, key: "agent", value: "1" })
    expect(yield* ping).toBe("VM 200 is not running")
    yield* sim.change({ _tag: "guest.status", vmid: 200, status: "running" })
    expect(yield* ping).toBe("QEMU guest agent is not running")
    expect(yield* reasonOf("GET", `${node}/qemu/4711/agent/get-osinfo`))
      .toBe("Configuration file 'nodes/demo-felhom/qemu-server/4711.conf' does not exist")
    expect((yield* ask("GET", `${vm}/agent/file-read`)).errors)
      .toEqual({ file: "property is missing and it is not optional" })
    const may = (...privs: ReadonlyArray<string>) => sim.change({ _tag: "role.set", roleid: "FelhomAgent", privs })
    yield* may("VM.Audit", "VM.PowerMgmt")
    expect(yield* ping).toBe("Permission check failed (/vms/200, VM.GuestAgent.Audit|VM.GuestAgent.Unrestricted)")
    expect(yield* reasonOf("POST", `${vm}/agent/exec`, "command=id"))
      .toBe("Permission check failed (/vms/200, VM.GuestAgent.Unrestricted)")
    expect(yield* reasonOf("POST", `${vm}/agent/shutdown`, "")).toBe("QEMU guest agent is not running")
  }).pipe(Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: allPrivileges } }))))

it.effect("a running container whose disk takes no snapshot is suspended for its backup, and the log says why", () =>
  Effect.gen(function*() {
    yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 101, status: "running" })
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=101&storage=local&mode=snapshot&compress=zstd"))
    yield* TestClock.adjust("1 minute")
    expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "OK" })
    const log = JSON.stringify((yield* ask("GET", `${node}/tasks/${encodeURIComponent(upid)}/log?limit=0`)).data)
    expect(log).toContain("mode failure - some volumes do not support snapshots")
    expect(log).toContain("trying 'suspend' mode instead")
    expect((yield* ask("GET", `${node}/lxc/101/status/current`)).data).toMatchObject({ status: "running" })
  }).pipe(asAgent))

it.effect("a guest that ends from within is stopped, and no task tells of it", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.status", vmid: 101, status: "running" })
    const tasks = Effect.map(ask("GET", `${node}/tasks?vmid=101`), ({ data }) => data)
    const before = yield* tasks
    yield* sim.change({ _tag: "guest.poweroff", vmid: 101 })
    expect((yield* ask("GET", `${node}/lxc/101/status/current`)).data).toMatchObject({ status: "stopped" })
    yield* sim.change({ _tag: "guest.poweroff", vmid: 101 })
    expect(yield* tasks).toEqual(before)
  }).pipe(asAgent))

it.effect("a change with an old digest is refused, and one with the present digest is made", () =>
  Effect.gen(function*() {
    const digest = Effect.map(ask("GET", `${guest}/config`), ({ data }) => String(Object(data).digest))
    const old = yield* digest
    expect((yield* ask("PUT", `${guest}/config`, `onboot=1&digest=${old}`)).status).toBe(200)
    expect(yield* reasonOf("PUT", `${guest}/config`, `onboot=0&digest=${old}`))
      .toBe("detected modified configuration - file changed by other user? Try again.")
    expect((yield* ask("PUT", `${guest}/config`, `onboot=0&digest=${yield* digest}`)).status).toBe(200)
  }).pipe(asAgent))

it.effect("what is pending is taken back, and what never may be deleted stays", () =>
  Effect.gen(function*() {
    yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 9999, status: "running" })
    yield* ask("PUT", `${guest}/config`, "nameserver=192.0.2.1&searchdomain=example.org")
    yield* ask("PUT", `${guest}/config`, "revert=nameserver")
    const { data } = yield* ask("GET", `${guest}/pending`)
    expect(data).toContainEqual({ key: "searchdomain", pending: "example.org" })
    expect(JSON.stringify(data)).not.toContain("192.0.2.1")
    expect((yield* ask("PUT", `${guest}/config`, "delete=rootfs")).status).not.toBe(200)
    // Deleting what is not set is no error.
    expect((yield* ask("PUT", `${guest}/config`, "delete=tags,onboot")).status).toBe(200)
  }).pipe(asAgent))

it.effect("disks are listed with their health, and SMART of one that is not there is no disk's", () =>
  Effect.gen(function*() {
    const { data } = yield* ask("GET", `${node}/disks/list`)
    const first: unknown = Array.isArray(data) ? data[0]?.devpath : undefined
    expect(first).toMatch(/^\/dev\//)
    expect((yield* ask("GET", `${node}/disks/smart?disk=${encodeURIComponent(String(first))}`)).data)
      .toMatchObject({ health: expect.any(String) })
    expect((yield* ask("GET", `${node}/disks/smart?disk=%2Fdev%2Fdisk%2Fby-id%2Fx`)).errors)
      .toEqual({ disk: "value does not match the regex pattern" })
  }).pipe(asAgent))

it.effect("a container in a pool is made by who may allocate there, and a pool that is not there is named", () =>
  Effect.gen(function*() {
    const world = { ...(yield* recordedWorld), pools: [{ poolid: "home", members: [] }] }
    const template = encodeURIComponent("local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz")
    const create = (pool: string) =>
      ask("POST", `${node}/lxc`, `vmid=777&ostemplate=${template}&rootfs=ctstore%3A1&pool=${pool}`)
    yield* Effect.gen(function*() {
      expect((yield* create("away")).reason).toBe("Permission check failed (pool 'away' does not exist)")
      const upid = upidOf(yield* create("home"))
      yield* TestClock.adjust("20 seconds")
      expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "OK" })
      expect((yield* ask("GET", "/api2/json/pools?poolid=home")).data).toMatchObject([{ members: [{ vmid: 777 }] }])
    }).pipe(Effect.provide(PveSim.layer({ secrets, world, roles: { FelhomAgent: allPrivileges } })))
  }))
