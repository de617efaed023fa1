import { describe, it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"

const sixteen = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

const form = (fields: { readonly [name: string]: string }): string =>
  Object.entries(fields).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")

const make = (fields: { readonly [name: string]: string }, token?: string) =>
  ask("POST", `${node}/qemu`, form(fields), token)

const endOf = (upid: string) =>
  Effect.gen(function*() {
    yield* TestClock.adjust("20 seconds")
    const { data } = yield* statusOf(upid)
    return /"exitstatus":"(.*?[^\\])"/.exec(JSON.stringify(data))?.[1]
  })

const configOf = (vmid: number) => Effect.map(ask("GET", `${node}/qemu/${vmid}/config`), ({ data }) => data)

const logText = (upid: string) => Effect.map(logOf(upid), ({ data }) => JSON.stringify(data))

const volumesOf = (storage: string, vmid: number) =>
  Effect.map(ask("GET", `${node}/storage/${storage}/content?vmid=${vmid}`), ({ data }) => data)

/** The recorded machine's backup. */
const backedUp = Effect.gen(function*() {
  expect(yield* endOf(upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=200&storage=local&compress=zstd")))).toBe("OK")
  const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=200`)
  return /local:backup\/vzdump-qemu-200-[^"]*\.vma\.zst/.exec(JSON.stringify(data))?.[0] ?? ""
})

describe("a virtual machine's archive", () => {
  it.effect("says which disks are in it, and comes back as the same machine", () =>
    Effect.gen(function*() {
      const archive = yield* backedUp
      const { data } = yield* ask("GET", `${node}/vzdump/extractconfig?volume=${encodeURIComponent(archive)}`)
      expect(data).toContain("\n#qmdump#map:scsi0:drive-scsi0:local:raw:\n")
      const upid = upidOf(yield* make({ vmid: "300", archive, storage: "ctstore" }))
      expect(upid).toContain(":qmrestore:300:")
      expect(yield* endOf(upid)).toBe("OK")
      expect(yield* configOf(300)).toEqual({
        boot: "order=scsi0;net0",
        cores: 1,
        description: "vm note 2",
        digest: expect.any(String),
        memory: "256",
        meta: "creation-qemu=10.1.2,ctime=1795305067",
        name: "vm-sample",
        net0: "virtio=BC:24:11:C5:B0:68,bridge=vmbr0",
        scsi0: "ctstore:300/vm-300-disk-0.raw,size=1G",
        smbios1: "uuid=1741368e-c387-42cc-8971-e25211e7e768",
        vmgenid: expect.not.stringMatching(/^c9f22ee7/)
      })
      expect(yield* volumesOf("ctstore", 300)).toMatchObject([{
        volid: "ctstore:300/vm-300-disk-0.raw",
        size: 2 ** 30
      }])
      expect(yield* logText(upid)).toContain("map 'drive-scsi0' to '/mnt/ctstore/images/300/vm-300-disk-0/disk.raw'")
    }).pipe(sixteen))

  it.effect("with unique has addresses and an identity of its own, and a given card stays", () =>
    Effect.gen(function*() {
      const archive = yield* backedUp
      const upid = upidOf(
        yield* make({
          vmid: "300",
          archive,
          unique: "1",
          name: "copy",
          memory: "128",
          description: "made",
          net1: "e1000,bridge=vmbr0"
        })
      )
      expect(yield* endOf(upid)).toBe("OK")
      expect(yield* configOf(300)).toMatchObject({
        name: "copy",
        memory: "128",
        description: "made",
        // Without a storage each disk lies where it was.
        scsi0: "local:300/vm-300-disk-0.raw,size=1G",
        net0: expect.stringMatching(/^virtio=BC:24:11:(?!C5:B0:68)[0-9A-F:]{8},bridge=vmbr0$/),
        net1: expect.stringMatching(/^e1000=BC:24:11:[0-9A-F:]{8},bridge=vmbr0$/),
        smbios1: expect.not.stringContaining("1741368e")
      })
    }).pipe(sixteen))

  it.effect("that breaks off leaves a machine without disks, without a lock, and none of the new volumes", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const archive = yield* backedUp
      yield* sim.change({ _tag: "archive.damage", volid: archive, damage: "truncated" })
      const upid = upidOf(yield* make({ vmid: "300", archive, storage: "ctstore" }))
      expect(yield* endOf(upid)).toMatch(
        /^command 'set -o pipefail && zstd .* \| vma extract .*' failed: exit code 133$/
      )
      expect(yield* configOf(300)).toEqual({ memory: "128", digest: expect.any(String) })
      expect(yield* volumesOf("ctstore", 300)).toEqual([])
      const log = yield* logText(upid)
      expect(log).toContain("temporary volume 'ctstore:300/vm-300-disk-0.raw' successfully removed")
      expect(log).toContain("VM 300 state is NOT cleaned up.")
    }).pipe(sixteen))

  it.effect("onto a full storage fails, which a container's restore does not", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const archive = yield* backedUp
      yield* sim.change({ _tag: "storage.avail", storage: "local", bytes: 0 })
      expect(yield* endOf(upidOf(yield* make({ vmid: "300", archive, storage: "local" })))).toContain("exit code 133")
    }).pipe(sixteen))

  it.effect("whose worker is killed leaves its volumes, and a machine that has none of them", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const archive = yield* backedUp
      const upid = upidOf(yield* make({ vmid: "300", archive, storage: "ctstore" }))
      expect(yield* configOf(300)).toMatchObject({ lock: "create" })
      yield* TestClock.adjust("100 millis")
      yield* sim.change({ _tag: "task.kill", upid })
      expect(yield* endOf(upid)).toBe("unexpected status")
      expect(yield* configOf(300)).toEqual({ memory: "128", digest: expect.any(String) })
      expect(yield* volumesOf("ctstore", 300)).toHaveLength(1)
    }).pipe(sixteen))

  it.effect("of a template comes back as one", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* sim.change({ _tag: "guest.file", vmid: 200, type: "qemu", text: "template: 1\n", append: true })
      const archive = yield* backedUp
      expect(yield* endOf(upidOf(yield* make({ vmid: "300", archive, storage: "ctstore" })))).toBe("OK")
      expect(yield* configOf(300)).toMatchObject({
        template: 1,
        scsi0: "ctstore:300/base-300-disk-0.raw,size=1G"
      })
    }).pipe(sixteen))

  it.effect("restored over its machine takes the place of its disks and snapshots; other disks stay, unused", () =>
    Effect.gen(function*() {
      const archive = yield* backedUp
      yield* endOf(upidOf(yield* ask("POST", `${node}/qemu/200/config`, form({ scsi1: "ctstore:1" }))))
      expect(yield* endOf(upidOf(yield* make({ vmid: "200", archive, force: "1" })))).toBe("OK")
      expect(yield* configOf(200)).toMatchObject({
        scsi0: "local:200/vm-200-disk-0.raw,size=1G",
        unused0: expect.stringMatching(/^ctstore:200\/vm-200-disk-\d\.raw$/)
      })
      expect(yield* configOf(200)).not.toHaveProperty("scsi1")
    }).pipe(sixteen))
})

it.effect("a machine that runs is backed up as it runs, wherever its disks lie, and the log says which are in it", () =>
  Effect.gen(function*() {
    yield* endOf(upidOf(yield* ask("POST", `${node}/qemu/200/config`, form({ scsi1: "local:1,backup=0" }))))
    yield* endOf(upidOf(yield* ask("POST", `${node}/qemu/200/status/start`, "")))
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=200&storage=local&mode=snapshot"))
    expect(yield* endOf(upid)).toBe("OK")
    const log = yield* logText(upid)
    expect(log).toContain("INFO: backup mode: snapshot")
    expect(log).toContain("INFO: include disk 'scsi0' 'local:200/vm-200-disk-0.raw' 1G")
    expect(log).toContain("INFO: exclude disk 'scsi1' 'local:200/vm-200-disk-1.raw' (backup=no)")
    expect(log).not.toContain("suspend")
    const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=200`)
    const archive = /local:backup\/vzdump-qemu-200-[^"]*\.vma/.exec(JSON.stringify(data))?.[0] ?? ""
    expect(yield* endOf(upidOf(yield* make({ vmid: "300", archive })))).toBe("OK")
    // What was left out of the archive is a comment in the new machine's file.
    expect(yield* configOf(300)).not.toHaveProperty("scsi1")
    expect(yield* configOf(300)).toMatchObject({ description: expect.stringContaining("scsi1: local:200/") })
  }).pipe(sixteen))

it.effect("a backup of a machine onto a full storage fails, and leaves no archive", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "storage.avail", storage: "local", bytes: 0 })
    const upid = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=200&storage=local"))
    expect(yield* endOf(upid)).toBe("job errors")
    expect(yield* logText(upid)).toContain(
      "ERROR: Backup of VM 200 failed - vma_queue_write: write error - Broken pipe"
    )
    expect((yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=200`)).data).toEqual([])
  }).pipe(sixteen))

describe("a restore of a virtual machine that can't be", () => {
  it.effect("is refused before its task: a drive beside the archive, a missing archive, a number that is taken", () =>
    Effect.gen(function*() {
      const archive = yield* backedUp
      expect(yield* make({ vmid: "300", archive, scsi0: "local:1" })).toMatchObject({
        status: 400,
        errors: { scsi0: "option conflicts with option 'archive'" }
      })
      const gone = archive.replace(".vma.zst", ".vma.lzo")
      expect(yield* make({ vmid: "300", archive: gone })).toMatchObject({
        status: 500,
        reason: `volume '${gone}' does not exist`
      })
      expect(yield* make({ vmid: "200", archive })).toMatchObject({
        status: 500,
        reason: "unable to restore VM 200 - VM 200 already exists on node 'demo-felhom'"
      })
      expect(yield* make({ vmid: "101", archive })).toMatchObject({
        status: 500,
        reason: "unable to restore VM 101 - CT 101 already exists on node 'demo-felhom'"
      })
      expect(yield* make({ vmid: "300", unique: "1" })).toMatchObject({
        status: 400,
        errors: { archive: "missing property required by 'unique'" }
      })
      expect(yield* make({ vmid: "300", archive, startup: "order=1" })).toMatchObject({
        status: 403,
        reason: "Permission check failed (/, Sys.Modify)"
      })
      expect(yield* make({ vmid: "300", archive, args: "-x" })).toMatchObject({
        status: 500,
        reason: "only root can set 'args' config"
      })
      expect(yield* make({ vmid: "300", archive, pool: "nope" })).toMatchObject({ status: 403 })
      expect(yield* configOf(300)).toBeNull()
    }).pipe(sixteen))

  it.effect("of a container's archive fails in the task, and a container's of a machine's, too", () =>
    Effect.gen(function*() {
      const machines = yield* backedUp
      yield* endOf(upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local&compress=zstd")))
      const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=9999`)
      const containers = /local:backup\/vzdump-lxc-9999[^"]*/.exec(JSON.stringify(data))?.[0] ?? ""
      expect(yield* endOf(upidOf(yield* make({ vmid: "300", archive: containers })))).toMatch(
        /^ERROR: file '\/var\/lib\/vz\/dump\/vzdump-lxc-9999.*' does not look like a QemuServer vzdump backup$/
      )
      expect(yield* endOf(upidOf(yield* make({ vmid: "301", archive: containers, name: "x" })))).toBe(
        "cannot pass along options (name) when restoring from tar archive"
      )
      const upid = upidOf(
        yield* ask("POST", `${node}/lxc`, form({ vmid: "302", ostemplate: machines, restore: "1", storage: "ctstore" }))
      )
      expect(yield* endOf(upid)).toBe("unable to restore CT 302 - ERROR: archive contains no configuration file")
    }).pipe(sixteen))

  const without = (privilege: string) =>
    Effect.provide(
      PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges.filter((one) => one !== privilege) } })
    )

  const sync: ReadonlyArray<readonly [privilege: string, more: { readonly [name: string]: string }, reason: string]> = [
    ["VM.Allocate", {}, "Permission check failed"],
    ["VM.PowerMgmt", { start: "1" }, "Permission check failed (/vms/300, VM.PowerMgmt)"],
    ["VM.Config.Memory", { memory: "64" }, "Permission check failed (/vms/300, VM.Config.Memory)"],
    ["VM.Config.Network", { net0: "virtio,bridge=vmbr0" }, "Permission check failed (/vms/300, VM.Config.Network)"],
    ["SDN.Use", { net0: "virtio,bridge=vmbr0" }, "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"]
  ]
  for (const [privilege, more, reason] of sync) {
    it.effect(`for want of ${privilege} is refused`, () =>
      Effect.gen(function*() {
        const archive = yield* backedUp
        expect(yield* make({ vmid: "300", archive, ...more })).toMatchObject({ status: 403, reason })
      }).pipe(without(privilege)))
  }

  it.effect("for want of SDN.Use on an archived card fails in the task", () =>
    Effect.gen(function*() {
      const archive = yield* backedUp
      expect(yield* endOf(upidOf(yield* make({ vmid: "300", archive })))).toBe(
        "403 Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"
      )
    }).pipe(without("SDN.Use")))
})

describe("a virtual machine that is created", () => {
  it.effect("has its disk, an address, an order to boot in and an identity", () =>
    Effect.gen(function*() {
      const upid = upidOf(
        yield* make({ vmid: "300", name: "new", memory: "64", scsi0: "ctstore:2", net0: "virtio,bridge=vmbr0" })
      )
      expect(upid).toContain(":qmcreate:300:")
      expect(yield* endOf(upid)).toBe("OK")
      expect(yield* configOf(300)).toMatchObject({
        boot: "order=scsi0;net0",
        name: "new",
        net0: expect.stringMatching(/^virtio=BC:24:11:[0-9A-F:]{8},bridge=vmbr0$/),
        scsi0: "ctstore:300/vm-300-disk-0.raw,size=2G",
        smbios1: expect.stringMatching(/^uuid=[0-9a-f-]{36}$/),
        vmgenid: expect.stringMatching(/^[0-9a-f-]{36}$/)
      })
      const start = upidOf(yield* ask("POST", `${node}/qemu/300/status/start`, ""))
      expect(yield* endOf(start)).toBe("OK")
    }).pipe(sixteen))

  it.effect("on a storage that takes none is refused, and what this host does not do is said", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* sim.change({ _tag: "storage.set", storage: "ctstore", config: { content: "rootdir" } })
      expect(yield* make({ vmid: "300", scsi0: "ctstore:2" })).toMatchObject({
        status: 400,
        errors: { storage: "storage 'ctstore' does not support vm images" }
      })
      expect(yield* make({ vmid: "300", scsi0: "local:0,import-from=local:import/x.qcow2" })).toMatchObject({
        status: 501
      })
    }).pipe(sixteen))
})
