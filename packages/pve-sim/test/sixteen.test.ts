import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, node, secrets, statusOf, upidOf } from "./Asking.ts"

const guest = `${node}/lxc/9999`
const template = encodeURIComponent("local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz")

type Need = readonly [privilege: string, method: string, path: string, form: string | undefined, where: string]

/** For each privilege a call that needs it, and the path that the refusal names. */
const needs: ReadonlyArray<Need> = [
  ["VM.Allocate", "DELETE", guest, undefined, "/vms/9999"],
  ["VM.Allocate", "POST", `${guest}/template`, "", "/vms/9999"],
  ["VM.Audit", "GET", `${guest}/config`, undefined, "/vms/9999"],
  ["VM.Audit", "GET", `${guest}/snapshot`, undefined, "/vms/9999"],
  ["VM.Config.CPU", "PUT", `${guest}/config`, "cores=2", "/vms/9999"],
  ["VM.Config.Disk", "PUT", `${guest}/config`, "mp0=ctstore%3A1%2Cmp%3D%2Fx", "/vms/9999"],
  ["VM.Config.Disk", "PUT", `${guest}/resize`, "disk=rootfs&size=%2B1G", "/vms/9999"],
  ["VM.Config.Memory", "PUT", `${guest}/config`, "memory=256", "/vms/9999"],
  ["VM.Config.Network", "PUT", `${guest}/config`, "hostname=other", "/vms/9999"],
  ["VM.Config.Options", "PUT", `${guest}/config`, "onboot=1", "/vms/9999"],
  ["VM.Config.Options", "PUT", `${guest}/resize`, "disk=rootfs&size=%2B1G", "/vms/9999"],
  ["VM.PowerMgmt", "POST", `${guest}/status/start`, "", "/vms/9999"],
  ["VM.Snapshot", "POST", `${guest}/snapshot`, "snapname=one", "/vms/9999"],
  ["Datastore.Allocate", "POST", "/api2/json/storage", "storage=usb&type=dir&path=%2Fsrv%2Fusb", "/storage"],
  ["Datastore.Allocate", "GET", "/api2/json/storage/local", undefined, "/storage/local"],
  ["Sys.Audit", "GET", `${node}/status`, undefined, "/nodes/demo-felhom"],
  ["Sys.Audit", "GET", `${node}/disks/smart?disk=%2Fdev%2Fvda`, undefined, "/"],
  ["Sys.Audit", "GET", "/api2/json/cluster/status", undefined, "/"],
  [
    "SDN.Use",
    "PUT",
    `${guest}/config`,
    `net1=${encodeURIComponent("name=eth1,bridge=vmbr0")}`,
    "/sdn/zones/localnetwork/vmbr0"
  ]
]

const without = (...privileges: ReadonlyArray<string>) =>
  Effect.provide(
    PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges.filter((name) => !privileges.includes(name)) } })
  )

it.effect("each of the sixteen that is missing is named with its path, where it is needed", () =>
  Effect.forEach(needs, ([privilege, method, path, form, where]) =>
    Effect.gen(function*() {
      expect([path, (yield* ask(method, path, form)).reason])
        .toEqual([path, `Permission check failed (${where}, ${privilege})`])
    }).pipe(without(privilege))))

it.effect("with all sixteen, each of these calls is let in", () =>
  Effect.forEach(needs, ([, method, path, form]) =>
    Effect.gen(function*() {
      expect([path, (yield* ask(method, path, form)).status]).not.toEqual([path, 403])
    }).pipe(without())))

it.effect("the right to back a guest up is asked for by the task, and not by the call", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local"))
    yield* TestClock.adjust("10 seconds")
    expect((yield* statusOf(upid)).data)
      .toMatchObject({ exitstatus: "403 Permission check failed (/vms/9999, VM.Backup)" })
  }).pipe(without("VM.Backup")))

it.effect("space on a storage is needed for a backup and for a new volume", () =>
  Effect.gen(function*() {
    expect((yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local")).reason)
      .toBe("Permission check failed (/storage/local, Datastore.AllocateSpace)")
    expect((yield* ask("PUT", `${guest}/resize`, "disk=rootfs&size=%2B1G")).reason)
      .toBe("Permission check failed (/storage/ctstore, Datastore.AllocateSpace)")
  }).pipe(without("Datastore.AllocateSpace", "Datastore.Allocate")))

it.effect("a storage is seen with one of two privileges, and in the cluster's list with Audit alone", () =>
  Effect.gen(function*() {
    expect((yield* ask("GET", `${node}/storage/local/status`)).status).toBe(200)
    expect((yield* ask("GET", "/api2/json/cluster/resources?type=storage")).data).toEqual([])
  }).pipe(without("Datastore.Audit")))

it.effect("without both of them it is not", () =>
  Effect.gen(function*() {
    expect((yield* ask("GET", `${node}/storage/local/status`)).reason)
      .toBe("Permission check failed (/storage/local, Datastore.Audit|Datastore.AllocateSpace)")
  }).pipe(without("Datastore.Audit", "Datastore.AllocateSpace")))

it.effect("a rollback is let in with either of two privileges", () =>
  Effect.gen(function*() {
    const rollback = ask("POST", `${guest}/snapshot/one/rollback`, "")
    expect((yield* rollback.pipe(without("VM.Snapshot"))).status).toBe(200)
    expect((yield* rollback.pipe(without("VM.Snapshot.Rollback"))).status).toBe(200)
    expect((yield* rollback.pipe(without("VM.Snapshot", "VM.Snapshot.Rollback"))).reason)
      .toBe("Permission check failed (/vms/9999, VM.Snapshot|VM.Snapshot.Rollback)")
  }))

it.effect("a container is not made without the right to a number, and Proxmox does not say which right that is", () =>
  Effect.gen(function*() {
    expect(yield* ask("POST", `${node}/lxc`, `vmid=777&ostemplate=${template}&storage=ctstore`))
      .toMatchObject({ status: 403, reason: "Permission check failed" })
  }).pipe(without("VM.Allocate")))
