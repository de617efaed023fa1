import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"

const guest = `${node}/lxc/9999`
const provide = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

const backUp = Effect.gen(function*() {
  const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local&compress=zstd"))
  yield* TestClock.adjust("10 seconds")
  expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "OK" })
  const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=9999`)
  return /local:backup\/[^"]*/.exec(JSON.stringify(data))?.[0] ?? ""
})

const restore = (volid: string, more: string) =>
  Effect.gen(function*() {
    const form = `ostemplate=${encodeURIComponent(volid)}&restore=1&${more}`
    const upid = upidOf(yield* ask("POST", `${node}/lxc`, form))
    yield* TestClock.adjust("10 seconds")
    return (yield* statusOf(upid)).data
  })

it.effect("a damaged archive costs the old guest, but one without a configuration does not", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const volid = yield* backUp
    yield* sim.change({ _tag: "archive.damage", volid, damage: "empty" })
    expect(yield* restore(volid, "vmid=9999&storage=ctstore&force=1")).toMatchObject({
      exitstatus: "unable to restore CT 9999 - ERROR: archive contains no configuration file"
    })
    expect((yield* ask("GET", `${guest}/config`)).data).toMatchObject({
      rootfs: "ctstore:9999/vm-9999-disk-0.raw,size=1G"
    })
    expect((yield* ask("GET", `${guest}/config`)).data).not.toHaveProperty("lock")
  }).pipe(provide))

it.effect("an archive that breaks off costs the old guest and all of its volumes", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const volid = yield* backUp
    yield* sim.change({ _tag: "archive.damage", volid, damage: "truncated" })
    expect(JSON.stringify(yield* restore(volid, "vmid=9999&storage=ctstore&force=1"))).toContain("failed: exit code 2")
    expect(yield* ask("GET", `${guest}/config`)).toMatchObject({
      status: 500,
      reason: "Configuration file 'nodes/demo-felhom/lxc/9999.conf' does not exist"
    })
    expect((yield* ask("GET", `${node}/storage/ctstore/content?vmid=9999`)).data).toEqual([])
  }).pipe(provide))

it.effect("a restore onto a full directory ends OK with a guest that does not start", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const volid = yield* backUp
    yield* sim.change({ _tag: "storage.avail", storage: "local", bytes: 0 })
    expect(yield* restore(volid, "vmid=9998&storage=local")).toMatchObject({ exitstatus: "OK" })
    const start = upidOf(yield* ask("POST", `${node}/lxc/9998/status/start`, ""))
    yield* TestClock.adjust("10 seconds")
    expect((yield* statusOf(start)).data).toMatchObject({ exitstatus: "startup for container '9998' failed" })
  }).pipe(provide))

it.effect("retention of the storage prunes after a backup, and spares what is protected", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "storage.set", storage: "local", config: { "prune-backups": "keep-last=1" } })
    const first = yield* backUp
    yield* ask("PUT", `${node}/storage/local/content/${encodeURIComponent(first)}`, "protected=1")
    yield* backUp
    yield* backUp
    const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=9999`)
    expect(JSON.stringify(data).match(/local:backup/g)?.length).toBe(2)
    expect(JSON.stringify(data)).toContain(first)
  }).pipe(provide))

it.effect("a second backup waits for the first, or gives up at once without a word of its outcome", () =>
  Effect.gen(function*() {
    const start = (more: string) => ask("POST", `${node}/vzdump`, `vmid=9999&storage=local&compress=zstd${more}`)
    const first = upidOf(yield* start(""))
    yield* TestClock.adjust("100 millis")
    const hasty = upidOf(yield* start("&lockwait=0"))
    const patient = upidOf(yield* start(""))
    yield* TestClock.adjust("30 seconds")
    expect((yield* statusOf(first)).data).toMatchObject({ exitstatus: "OK" })
    expect((yield* statusOf(hasty)).data).toMatchObject({ exitstatus: "unexpected status" })
    expect((yield* logOf(hasty)).data).toEqual([
      { n: 1, t: "ERROR: can't acquire lock '/var/run/vzdump.lock' (wait = 0)" }
    ])
    expect((yield* statusOf(patient)).data).toMatchObject({ exitstatus: "OK" })
    expect(JSON.stringify((yield* logOf(patient)).data)).toContain("trying to get global lock - waiting...")
  }).pipe(provide))

it.effect("a storage that is added can be used, changed and removed, and its unmounted twin is refused", () =>
  Effect.gen(function*() {
    expect((yield* ask("POST", "/api2/json/storage", "storage=usb&type=dir&path=/mnt/usb&content=backup")).data)
      .toEqual({ storage: "usb", type: "dir" })
    expect(yield* ask("POST", "/api2/json/storage", "storage=usb&type=dir&path=/mnt/usb")).toMatchObject({
      status: 500,
      reason: "create storage failed: storage ID 'usb' already defined"
    })
    expect(yield* ask("POST", "/api2/json/storage", "storage=gone&type=dir&path=/mnt/gone&is_mountpoint=1"))
      .toMatchObject({ status: 500 })
    yield* ask("PUT", "/api2/json/storage/usb", "prune-backups=keep-last%3D3")
    expect((yield* ask("GET", "/api2/json/storage/usb")).data).toMatchObject({ "prune-backups": "keep-last=3" })
    expect((yield* ask("DELETE", "/api2/json/storage/usb")).status).toBe(200)
    expect((yield* ask("GET", `${node}/storage/usb/status`)).errors).toEqual({ storage: "No such storage." })
  }).pipe(provide))
